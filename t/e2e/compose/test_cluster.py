"""docker-compose.cluster.yml: three database nodes; whatever dies or stops, nothing acknowledged is lost or doubled"""

import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "faults"))

from composed import docker  # noqa: E402
from load import Load  # noqa: E402
from mixed import Mixed, during  # noqa: E402
from stack import TOP, until  # noqa: E402

pytestmark = pytest.mark.cluster
NODES = ("mysql", "mysql-2", "mysql-3")
MIB = 1 << 20


@pytest.fixture(scope="module")
def stack(make_stack):
    class Clustered(make_stack):
        files = ("docker-compose.yml", "docker-compose.cluster.yml")

        def address(self, name, network):
            """The tests' own connection goes where the programs write."""
            if name != "db":
                return super().address(name, network)
            if ("db", network) not in self._addresses:
                self._addresses["db", network] = super().address(self.writer(), network)
            return self._addresses["db", network]

        def writer(self):
            return self.cluster("writer").strip()

        def cluster(self, *args, **how):
            return self.run(str(TOP / "compose" / "cluster"), *args, **how)

        def ask(self, node, statement):
            """What a node answers, asked inside its container."""
            return docker("exec", "-i", self.containers(node)[0], "mariadb", "--batch", "--skip-column-names", stdin=statement.encode())

        def says(self, node, name):
            return self.ask(node, f"SHOW GLOBAL STATUS LIKE '{name}'").partition("\t")[2]

        def all_healthy(self, seconds=120):
            for node in NODES:
                self.healthy(node, seconds=seconds)
            self.close_db()

        def contents(self):
            """What is in the database, but for which node is the writer."""
            return {table: sum_ for table, sum_ in self.snapshot().items() if table != "loyalty.writer"}

        def in_volume(self, number, command):
            """Run a command in the volume of a node that is stopped."""
            return docker("run", "--rm", "--network", "none", "--volume", f"{self.project}_db-{number}:/v", "--entrypoint", "sh", f"loyalty-galera:{self.tag}", "-c", command)

    with Clustered() as s:
        print(f"\nup from nothing: {s.took:.1f} s")
        s.uuid = s.says("mysql", "wsrep_cluster_state_uuid")
        assert s.uuid.strip("0-")
        yield s


@pytest.fixture
def no_500(stack):
    """No answer was 500: what is refused meanwhile is 503."""
    statuses = []

    def note(a):
        statuses.append(a.status)

    stack.api.observers.append(note)
    yield statuses
    stack.api.observers.remove(note)
    assert 500 not in statuses


def gap_after(load, at):
    times = sorted(load.successes)[max(0, at - 1):]
    return max(b - a for a, b in zip(times, times[1:]))


def books_are_in_order(stack):
    """And the same on all nodes, which are still the cluster that was made."""
    stack.close_db()
    assert {stack.says(node, "wsrep_cluster_state_uuid") for node in NODES} == {stack.uuid}
    stack.ready(60)
    audit = stack.api.get("/v1/admin/audit", key="restricted")
    assert audit.status == 200 and audit.json["ok"] is True, [check for check in audit.json["checks"] if not check["ok"]]
    count = "SELECT (SELECT COUNT(*) FROM loyalty.reservation), (SELECT SUM(bonus_points) FROM loyalty.user), (SELECT COUNT(*) FROM loyalty_history.points_history)"
    until(lambda: len({stack.ask(node, count) for node in NODES}) == 1, 10, 0.5, "the same on all nodes")


def test_up_from_nothing_serves_a_reservation_that_all_nodes_have(stack):
    room, user = stack.room(total=3, price=10), stack.user(points=100)
    made = stack.reserve(room, user)
    assert made.status == 201
    for node in NODES:
        until(lambda: stack.ask(node, f"SELECT status FROM loyalty.reservation WHERE id = UNHEX('{made.json['id'].replace('-', '')}')") == "RESERVED", 5)
    lines = [line.split() for line in stack.cluster("status").splitlines()]
    assert [line[0] for line in lines] == ["node", *NODES]
    assert [line[1] for line in lines[1:]] == ["Synced"] * 3 and [line[-1] for line in lines[1:]] == ["3"] * 3
    assert sum("writer" in line for line in lines[1:]) == 1


@pytest.mark.parametrize("node", NODES)
def test_a_node_is_hardened_and_speaks_tls_only(stack, node):
    container, = stack.inspect(node)
    host = container["HostConfig"]
    assert host["ReadonlyRootfs"] is True and host["CapDrop"] == ["ALL"] and not host["CapAdd"] and "no-new-privileges:true" in host["SecurityOpt"]
    assert host["NanoCpus"] == 10 ** 9 and host["Memory"] == host["MemorySwap"] == 1024 * MIB and host["PidsLimit"] == 512
    assert container["Config"]["User"] == "999:999" and host["RestartPolicy"]["Name"] == "unless-stopped"
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{container['State']['Pid']}/status").read_text().splitlines() if ":\t" in line)
    assert status["NoNewPrivs"] == "1" and status["CapBnd"].strip("0") == "" and status["Uid"].split()[0] == "999"
    assert stack.ask(node, "SELECT CURRENT_USER(), @@require_secure_transport") == "mysql@localhost\t1"
    options = dict(o.strip().partition(" = ")[::2] for o in stack.ask(node, "SELECT @@wsrep_provider_options").split(";"))
    assert options["socket.ssl"] == "YES" and options["socket.ssl_ca"] == "/run/secrets/db-ca.crt"
    plain = docker("exec", stack.containers(node)[0], "mariadb", "--defaults-file=/run/secrets/probe.cnf", "--skip-ssl", f"--host={node}", "--execute=SELECT 1", check=False)
    assert "ERROR" in plain and "secure transport" in plain, plain


def test_a_state_transfer_is_encrypted_and_verified(stack):
    log = stack.log("mysql-2")
    assert "Verifying peer certificate chain for ssl-mode=VERIFY_CA" in log and "verify=0" not in log


def killed_under_load(stack, no_500, seed, kill):
    """The writer dies; 5 s at most without an acknowledged write, and it comes back."""
    stack.all_healthy()
    with Load(stack, seed=seed, pause=0.02) as load:
        load.progress()
        writer, at, failures = stack.writer(), len(load.successes), load.failures
        kill(writer)
        load.progress(30, 200)
        gap = gap_after(load, at)
        print(f"\n{writer} killed: {gap:.1f} s without an answer, {load.failures - failures} attempts refused, {len(load.successes)} acknowledged")
        stack.close_db()
        begin = time.monotonic()
        if stack.inspect(writer)[0]["State"]["Status"] == "exited":
            stack.compose("up", "--detach", "--no-build", "--no-deps", writer)
        stack.healthy(writer, seconds=120)
        print(f"it was back after {time.monotonic() - begin:.1f} s")
        load.progress()
    assert gap <= 5
    books_are_in_order(stack)


def test_a_crash_of_the_writer_under_load(stack, no_500):
    """The engine starts it again."""
    killed_under_load(stack, no_500, 1, lambda node: stack.kill(node))


def test_docker_kill_of_the_writer_under_load(stack, no_500):
    killed_under_load(stack, no_500, 2, lambda node: docker("kill", *stack.containers(node)))


def test_a_switch_of_the_writer_fails_no_request(stack):
    stack.all_healthy()
    to = next(node for node in NODES if node != stack.writer())
    with Mixed(stack, seed=3) as load:
        during(load, 3)
        told = stack.cluster("switch", to)
        during(load, 4)
    assert f"{to} is the writer" in told and stack.writer() == to
    assert f"{to} is the writer already" in stack.cluster("switch", to, check=False)
    stack.close_db()
    books_are_in_order(stack)


def test_after_down_the_next_up_starts_all_by_itself(stack):
    before = stack.contents()
    stack.close_db()
    stack.compose("down", "--timeout", "60")
    stack.compose("up", "--detach", "--no-build", "--wait")
    stack.api.drop()
    stack.all_healthy()
    assert stack.contents() == before
    books_are_in_order(stack)


def test_nodes_that_all_left_at_once_wait_for_one_another_and_start(stack):
    """As when the engine stops at a reboot: none was the last to leave."""
    stack.all_healthy()
    before = stack.contents()
    stack.close_db()
    docker("stop", *(stack.containers(n)[0] for n in NODES))
    for number in 1, 2, 3:
        stack.in_volume(number, "sed -i s/^safe_to_bootstrap:.*/safe_to_bootstrap:0/ /v/data/grastate.dat")
    docker("start", *stack.containers("mysql"), *stack.containers("mysql-2"))
    time.sleep(8)
    assert [stack.health(n) for n in NODES[:2]] != [["healthy"], ["healthy"]], "the third may have more"
    docker("start", *stack.containers("mysql-3"))
    stack.all_healthy()
    stack.ready(60)
    assert stack.contents() == before
    books_are_in_order(stack)


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_two_that_leave_at_the_same_moment_come_back(stack, how):
    """Killed, they leave no majority: no write until they are back.  Stopped, they may."""
    stack.all_healthy()
    room, user, writer = stack.room(), stack.user(points=1000), stack.writer()
    two = [stack.containers(n)[0] for n in NODES if n != writer]
    docker(how, *two)
    if how == "kill":
        until(lambda: stack.says(writer, "wsrep_cluster_status") == "non-Primary", 20, 0.2, "no majority")
        assert stack.reserve(room, user).status == 503
    docker("start", *two)
    stack.all_healthy()
    books_are_in_order(stack)


def test_a_kill_of_all_at_once_under_load_is_mended_by_the_engine(stack, no_500):
    with Load(stack, seed=4, pause=0.02) as load:
        load.progress()
        for node in NODES:
            stack.kill(node)
        stack.close_db()
        print(f"\nall killed: writes again after {load.progress(120, 40):.1f} s")
    stack.all_healthy()
    books_are_in_order(stack)


def test_a_node_is_discarded_and_takes_all_from_another_under_load(stack, no_500):
    stack.all_healthy()
    writer = stack.writer()
    node = next(n for n in NODES if n != writer)
    with Load(stack, seed=5, pause=0.02) as load:
        load.progress()
        at = len(load.successes)
        stack.cluster("rejoin", node)
        print(f"\nrejoin: at most {gap_after(load, at):.1f} s without an answer")
        load.progress()
    stack.healthy(node)
    books_are_in_order(stack)


def test_what_would_lose_data_is_refused(stack):
    stack.all_healthy()
    writer = stack.writer()
    others = [n for n in NODES if n != writer]
    before = {n: stack.inspect(n)[0]["State"]["StartedAt"] for n in NODES}
    assert f"{writer} is the writer" in stack.cluster("rejoin", writer, check=False)
    assert "the cluster is not stopped" in stack.cluster("start-after-full-stop", check=False)
    assert "which node?" in stack.cluster("rejoin", check=False)
    assert "which node?" in stack.cluster("switch", "mysql-4", check=False)
    assert {n: stack.inspect(n)[0]["State"]["StartedAt"] for n in NODES} == before
    for n in others:  # one after the other: so they leave the last one a majority
        docker("stop", *stack.containers(n))
    try:
        assert "no other node is ready" in stack.cluster("rejoin", writer, check=False)
        assert stack.says(writer, "wsrep_cluster_size") == "1"
        assert stack.reserve(stack.room(), stack.user(points=1000)).status == 201
    finally:
        docker("start", *(stack.containers(n)[0] for n in others))
    stack.all_healthy()
    books_are_in_order(stack)


def test_an_empty_first_node_joins_and_makes_no_new_cluster(stack):
    stack.all_healthy()
    if stack.writer() == "mysql":
        stack.cluster("switch", "mysql-2")
    docker("stop", *stack.containers("mysql"))
    stack.in_volume(1, "find /v -mindepth 1 -delete")
    stack.compose("up", "--detach", "--no-build", "--wait")
    stack.all_healthy()
    assert stack.says("mysql", "wsrep_cluster_size") == "3"
    books_are_in_order(stack)


def test_a_node_with_data_of_another_cluster_says_so_and_keeps_them(stack):
    stack.all_healthy()
    if stack.writer() == "mysql-3":
        stack.cluster("switch", "mysql")
    docker("stop", *stack.containers("mysql-3"))
    mine = stack.in_volume(3, "cat /v/cluster; echo loyalty-of-others >/v/cluster; touch /v/data/theirs")
    docker("start", *stack.containers("mysql-3"))
    try:
        until(lambda: "holds data of another cluster (loyalty-of-others" in stack.log("mysql-3"), 20, 0.5, "a refusal")
        assert stack.in_volume(3, "ls /v/data/theirs /v/data/loyalty/reservation.ibd").split() == ["/v/data/loyalty/reservation.ibd", "/v/data/theirs"]
        assert stack.says("mysql", "wsrep_cluster_size") == "2"
    finally:
        stack.in_volume(3, f"echo {mine} >/v/cluster; rm /v/data/theirs")
    stack.all_healthy()


def test_a_cluster_that_lost_a_volume_in_a_full_stop_starts_from_the_newest_data(stack):
    stack.all_healthy()
    before = stack.contents()
    stack.close_db()
    docker("kill", *(stack.containers(n)[0] for n in NODES))
    stack.in_volume(3, "find /v -mindepth 1 -delete")
    docker("start", *stack.containers("mysql"), *stack.containers("mysql-2"))
    time.sleep(10)
    assert "unhealthy" not in stack.health("mysql") and stack.health("mysql") != ["healthy"], "without the third it does not know whether it has all"
    told = stack.cluster("start-after-full-stop")
    assert "mysql-3: none" in told, told
    stack.all_healthy()
    stack.ready(60)
    assert stack.contents() == before
    books_are_in_order(stack)


def test_backup_of_a_secondary_is_restored_on_all(stack):
    stack.all_healthy()
    room, user = stack.room(total=3, price=10), stack.user(points=100)
    kept = stack.reserve(room, user).json["id"]
    stack.drained()
    stack.close_db()
    dump = subprocess.run([str(TOP / "compose" / "backup")], cwd=TOP, env=stack.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True, timeout=120).stdout
    later = stack.reserve(room, user).json["id"]
    stack.journal.clear()  # what was told after the backup is gone, as it should be
    done = subprocess.run([str(TOP / "compose" / "restore")], cwd=TOP, env=stack.environment(), input=dump, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=400)
    assert done.returncode == 0, done.stdout.decode()
    stack.api.drop()
    stack.close_db()
    stack.ready(60)
    assert stack.api.get(f"/v1/reservations/{kept}").status == 200 and stack.api.get(f"/v1/reservations/{later}").status == 404
    books_are_in_order(stack)
