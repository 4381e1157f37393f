-- What wrk sends.  wrk -s load.lua URL -- WORKLOAD [PATH]; BENCH_KEY, BENCH_RUN
-- (a string that no other run has) and BENCH_ETAG come from the environment,
-- where no process list shows them.  Rooms and users are those of data.py.
-- At the end one line of JSON, latencies in microseconds.

local key, run = os.getenv("BENCH_KEY"), os.getenv("BENCH_RUN")
local threads = 0
local n = 0

function setup(thread)
	threads = threads + 1
	thread:set("number", threads)
end

local function room()
	return string.format("bbbbbbbb-0000-4000-8000-%012x", math.random(1000))
end

local function user()
	return string.format("cccccccc-0000-4000-8000-%012x", math.random(1000))
end

local function post(path, body)
	n = n + 1
	return "POST " .. path .. " HTTP/1.1\r\nHost: localhost\r\nX-API-Key: " .. key
		.. "\r\nContent-Type: application/json\r\nIdempotency-Key: " .. run .. "-" .. number .. "-" .. n
		.. "\r\nContent-Length: " .. #body .. "\r\n\r\n" .. body
end

local function reserve(id)
	return post("/v1/reservations", '{"room_id":"' .. id .. '","user":{"id":"' .. user() .. '"}}')
end

local function get(path, more)
	return "GET " .. path .. " HTTP/1.1\r\nHost: localhost\r\nX-API-Key: " .. key .. "\r\n" .. (more or "") .. "\r\n"
end

local workload = {
	get = function(path) local r = get(path) return function() return r end end,
	["not-modified"] = function(path)
		local r = get(path, "If-None-Match: " .. os.getenv("BENCH_ETAG") .. "\r\n")
		return function() return r end
	end,
	points = function() return function() return get("/v1/users/" .. user() .. "/points") end end,
	reserve = function() return function() return reserve(room()) end end,
	hot = function() return function() return reserve("bbbbbbbb-0000-4000-8000-0000ffffffff") end end,
	adjust = function()
		return function() return post("/v1/users/" .. user() .. "/points", '{"amount":1,"reason":"workload"}') end
	end,
}

function init(args)
	math.randomseed(tonumber(string.sub(run, 1, 7), 16) + number)
	request = workload[args[1]](args[2])
end

function done(summary, latency)
	local e = summary.errors
	io.write(string.format(
		'{"requests":%d,"seconds":%.6f,"bytes":%d,"errors":%d,"refused":%d,"p50_us":%d,"p99_us":%d,"max_us":%d}\n',
		summary.requests, summary.duration / 1e6, summary.bytes, e.connect + e.read + e.write + e.timeout, e.status,
		latency:percentile(50), latency:percentile(99), latency.max))
end
