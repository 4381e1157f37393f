"""An nginx with another site, as an admin has one, in front of the services of a private system; Loyalty's site comes into it as it does
on an installed machine: nginx/etc's files include what loyalty-nginx (nginx/site) writes."""

import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
from pathlib import Path

from stack import TOP, free_port, until

# What an http level can do to a site that inherits it.
HOSTILE = """
	include		/etc/nginx/mime.types;
	default_type	text/plain;
	root		@/html;
	index		other.html;
	autoindex	on;
	gzip		on;
	gzip_types	*;
	gzip_min_length	1;
	gzip_vary	on;
	gzip_proxied	any;
	gunzip		on;
	ssi		on;
	ssi_types	*;
	charset		koi8-r;
	charset_types	*;
	override_charset	on;
	expires		1h;
	etag		off;
	if_modified_since	off;
	max_ranges	0;
	chunked_transfer_encoding	off;
	add_header	X-Neighbour yes always;
	add_before_body	/other.html;
	add_after_body	/other.html;
	addition_types	*;
	userid		on;
	server_tokens	on;
	error_page	400 401 403 404 405 413 414 429 494 497 500 502 503 504 /other.html;
	recursive_error_pages	off;
	absolute_redirect	off;
	access_log	@/other.log combined;
	error_log	@/other-error.log info;
	log_not_found	on;
	rewrite_log	on;
	include		/etc/nginx/fastcgi_params;
	fastcgi_param	LOYALTY_ROLE restricted;
	fastcgi_param	HTTP_X_API_KEY neighbour;
	fastcgi_hide_header	ETag;
	fastcgi_hide_header	Link;
	fastcgi_hide_header	Location;
	fastcgi_pass_header	X-Accel-Redirect;
	fastcgi_ignore_headers	X-Accel-Redirect Cache-Control;
	fastcgi_intercept_errors	on;
	fastcgi_buffering	off;
	fastcgi_request_buffering	off;
	fastcgi_pass_request_headers	off;
	fastcgi_pass_request_body	off;
	fastcgi_force_ranges	on;
	fastcgi_catch_stderr	"a";
	fastcgi_read_timeout	1ms;
	fastcgi_connect_timeout	1ms;
	fastcgi_keep_conn	off;
	fastcgi_limit_rate	10;
	fastcgi_next_upstream	off;
	fastcgi_cache_path	@/cache keys_zone=neighbour_cache:1m;
	fastcgi_cache	neighbour_cache;
	fastcgi_cache_key	everybody;
	fastcgi_cache_valid	any 10m;
	fastcgi_cache_methods	GET HEAD POST;
	client_max_body_size	1;
	client_body_buffer_size	1k;
	client_body_in_file_only	on;
	client_body_timeout	1ms;
	client_header_buffer_size	32k;
	large_client_header_buffers	8 64k;
	underscores_in_headers	on;
	ignore_invalid_headers	off;
	merge_slashes	off;
	keepalive_requests	1;
	keepalive_timeout	1;
	send_timeout	1s;
	limit_rate	100;
	lingering_close	off;
	sendfile	on;
	tcp_nopush	on;
	postpone_output	0;
	limit_req_zone	$server_name zone=neighbour:1m rate=1r/m;
	limit_req	zone=neighbour;
	limit_req_status	499;
	limit_req_dry_run	on;
	limit_conn_dry_run	on;
	auth_basic	neighbour;
	auth_basic_user_file	@/nobody;
	auth_request	/other-auth;
	mirror		/other-mirror;
	dav_methods	PUT DELETE;
	deny		all;
	satisfy		any;
	set_real_ip_from	0.0.0.0/0;
	real_ip_header	X-Forwarded-For;
	real_ip_recursive	on;
	ssl_protocols	TLSv1.2;
	ssl_ciphers	ALL:@SECLEVEL=0;
	ssl_ecdh_curve	secp521r1:ffdhe2048;
	ssl_verify_client	optional_no_ca;
	ssl_session_tickets	off;
	ssl_early_data	on;
	ssl_stapling	on;
	ssl_stapling_verify	on;
	map $uri $neighbour { default other; "~^(?<method>.*)$" $method; }
	upstream rooms { server 127.0.0.1:9; }
	log_format json "neighbour's";
"""

# The other site sets right again what it needs.
SITE = """server {
	listen		127.0.0.1:%(plain)d;
	listen		127.0.0.1:%(tls)d ssl%(default)s;
	server_name	shop.example;
	ssl_certificate	%(dir)s/shop.crt;
	ssl_certificate_key	%(dir)s/shop.key;
	ssl_protocols	TLSv1.2 TLSv1.3;
	ssl_ecdh_curve	X25519;
	%(more)s
	satisfy		all;
	allow		all;
	auth_basic	off;
	auth_request	off;
	mirror		off;
	limit_rate	0;
	limit_req_dry_run	off;
	limit_req	zone=neighbour burst=10000 nodelay;
	userid		off;
	client_max_body_size	1m;
	client_body_timeout	10s;
	client_body_in_file_only	off;
	keepalive_requests	100;
	location = /method { return 200 "$neighbour|$http_x_under_score"; }
	location /sub/ { add_before_body ""; add_after_body ""; }
	location = /other-auth { internal; return 204; }
}
"""


def exchange(port, data, name=None, tls=True):
    """All that is answered to these bytes until the connection ends.  name: in the TLS handshake, None without one."""
    with socket.create_connection(("127.0.0.1", port), 10) as s:
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            s = context.wrap_socket(s, server_hostname=name)
        with s:
            s.sendall(data)
            got = b""
            try:
                while (part := s.recv(65536)):
                    got += part
            except (ssl.SSLError, ConnectionError):
                pass
    return got


class Neighbour:
    """The nginx: its folder, its ports (tls, plain), and loyalty-nginx for it."""

    def __init__(self, stack, http="", site="", default=" default_server", nginx="nginx"):
        self.stack, self.program = stack, nginx
        self.dir = Path(tempfile.mkdtemp(prefix="ly-nginx-", dir="/tmp"))
        os.chmod(self.dir, 0o755)
        mask = os.umask(0o022)
        self.tls, self.plain, self.port = free_port(), free_port(), free_port()
        for folder in ("conf.d", "sites-enabled", "html", "html/sub", "cache", "log", "loyalty"):
            (self.dir / folder).mkdir()
        for file, text in (("html/other.html", "<p>the shop</p>\n" * 50), ("html/sub/page.html", "<p>ünder</p>\n"), ("nobody", "")):
            (self.dir / file).write_text(text)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
                        str(self.dir / "shop.key"), "-out", str(self.dir / "shop.crt"), "-subj", "/CN=shop.example", "-days", "2"], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.conf = self.dir / "nginx.conf"
        user = "user www-data;\n" if os.geteuid() == 0 else ""
        temp = "".join(f"\t{name}_temp_path {self.dir}/tmp-{name};\n" for name in ("client_body", "fastcgi", "proxy", "scgi", "uwsgi"))
        self.conf.write_text(f"{user}worker_processes 1;\npid {self.dir}/nginx.pid;\nerror_log {self.dir}/error.log notice;\nevents {{ }}\n"
                             f"http {{\n{temp}{http.replace('@/', f'{self.dir}/')}\n\tinclude conf.d/*.conf;\n\tinclude sites-enabled/*;\n}}\n")
        self.shop = self.dir / "sites-enabled" / "shop"
        self.shop.write_text(SITE % {"plain": self.plain, "tls": self.tls, "dir": self.dir, "default": default, "more": site})
        os.umask(mask)
        self.settings = {
            "LOYALTY_NGINX_CONF": self.conf, "HTTPS_PORT": self.port, "LOYALTY_NGINX_BIND": "127.0.0.1", "LOYALTY_NGINX_IPV6": "off",
            "LOYALTY_SECRETS": stack.var / "secrets", "LOYALTY_NGINX_ACCESS_LOG": stack.var / "log" / "nginx" / "access.log",
            "LOYALTY_NGINX_ERROR_LOG": self.dir / "log" / "loyalty-error.log", "LOYALTY_NGINX_COUNTS": self.dir / "loyalty" / "counts",
            **{f"LOYALTY_NGINX_UPSTREAM_{name.upper()}": "unix:" + stack.fastcgi(name) for name in ("rooms", "points", "admin", "console")},
            **{name: value for name, value in stack.settings.items() if name.startswith("LOYALTY_NGINX_")}}

    # -- its life -------------------------------------------------------------------------------

    def start(self):
        subprocess.run([self.program, "-e", str(self.dir / "error.log"), "-c", str(self.conf)], check=True, cwd="/")
        self.pid = int(until(lambda: (self.dir / "nginx.pid").exists() and (self.dir / "nginx.pid").read_text().strip()))
        return self

    def stop(self):
        try:
            os.kill(self.pid, signal.SIGTERM)
            until(lambda: not Path(f"/proc/{self.pid}").exists())
        except (AttributeError, ProcessLookupError):
            pass
        shutil.rmtree(self.dir, ignore_errors=True)

    def workers(self):
        """Those that take connections; one that is ending may be there, too, and what loads a cache."""
        found = []
        for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split():
            try:
                if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"nginx: worker process\0"):
                    found.append(int(pid))
            except OSError:
                pass
        return found

    # -- Loyalty's site ---------------------------------------------------------------------------

    def include(self, name="zz-loyalty"):
        """What the package and loyalty-setup put into /etc/nginx."""
        for source, target in (("conf.d/loyalty.conf", "conf.d/loyalty.conf"), ("sites-available/loyalty", f"sites-enabled/{name}")):
            text = (TOP / "nginx" / "etc" / "nginx" / source).read_text()
            assert "/var/lib/loyalty/nginx/" in text
            (self.dir / target).write_text(text.replace("/var/lib/loyalty/nginx", str(self.dir / "loyalty")))

    def run(self, command, check=True, **settings):
        """loyalty-nginx COMMAND; its output."""
        for name, value in settings.items():
            self.settings[name] = value
        file = self.dir / "loyalty.conf"
        file.write_text("# as an admin would write it\n" + "".join(f"{name}={value}\n" for name, value in self.settings.items() if value is not None))
        done = subprocess.run([str(TOP / "nginx" / "site"), "-c", str(file), "-d", str(self.dir / "loyalty"), command], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
        self.status = done.returncode
        assert not check or done.returncode == 0, done.stdout
        return done.stdout

    # -- what the other site says -------------------------------------------------------------------

    def raw(self, data, port=None, name="shop.example"):
        """All bytes of the answers to these bytes; over TLS unless to the plain port.  name: for SNI, or None."""
        got = exchange(port or self.tls, data, name, port != self.plain)
        return b"\r\n".join(line for line in got.split(b"\r\n") if not line.startswith((b"Date: ", b"Expires: ")))

    def shop_answers(self):
        """What it says to all kinds of requests, byte for byte but for the time."""
        requests = [b"GET / HTTP/1.1", b"GET /other.html HTTP/1.1", b"GET /sub/page.html HTTP/1.1", b"GET /sub/ HTTP/1.1", b"HEAD / HTTP/1.1",
                    b"GET /nothing HTTP/1.1", b"GET //other.html HTTP/1.1", b"GET /method HTTP/1.1", b"GET /v1/rooms HTTP/1.1", b"GET /healthz HTTP/1.1",
                    b"PUT /x HTTP/1.1\r\nContent-Length: 0", b"DELETE /x HTTP/1.1", b"TRACE / HTTP/1.1", b"GET / HTTP/9.9", b"nonsense", b"GET /%zz HTTP/1.1",
                    b"GET /" + b"x" * 70000 + b" HTTP/1.1", b"POST / HTTP/1.1\r\nContent-Length: 3000000"]
        extra = [b"", b"Accept-Encoding: gzip\r\n", b"X_Under_Score: kept\r\n", b"Range: bytes=0-3\r\n", b"X-Long: " + b"y" * 40000 + b"\r\n"]
        said = {}
        for line in requests:
            for more in extra if line.startswith(b"GET /method") else extra[:1]:
                data = line + b"\r\nHost: shop.example\r\n" + more + b"Connection: close\r\n\r\n"
                said[line[:60], more[:30], "tls"] = self.raw(data)
        for line in requests[:2]:
            for host in (b"shop.example", b"unknown.example"):
                said[line, host, "plain"] = self.raw(line + b"\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n", self.plain)
        for name in (None, "unknown.example"):
            said["no such name", name] = self.raw(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", name=name)
        for offer in (["h2", "http/1.1"], ["http/1.1"]):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.set_alpn_protocols(offer)
            with socket.create_connection(("127.0.0.1", self.tls), 10) as raw, context.wrap_socket(raw, server_hostname="shop.example") as s:
                said["alpn", *offer] = (s.selected_alpn_protocol(), s.cipher()[0], s.version(), s.getpeercert(True))
        return said
