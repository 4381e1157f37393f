"""Who reaches whom: the arrows of the design, and no others"""

import json
import re
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from composed import FASTCGI, OURS, docker
from stack import TOP

# from: {to: port}, what must be reachable
ARROWS = {
    "nginx": {"cgi-rooms": 9000, "cgi-points": 9000, "cgi-admin": 9000, "console": 9000},
    "cgi-rooms": {"mysql": 3306},
    "cgi-points": {"mysql": 3306},
    "cgi-admin": {"mysql": 3306},
    "console": {"nginx": 8443},
    "notifier": {"mysql": 3306, "mail": 25},
    "prune": {"mysql": 3306},
    "mail": {},
    "mysql": {},
}
PORTS = {"door": 8443, "cgi-rooms": 9000, "cgi-points": 9000, "cgi-admin": 9000, "console": 9000, "mysql": 3306, "mail": 25, "notifier": 25, "prune": 25}
# The gateway is on each service's own network; that a service could send it a request is no more than what everybody may.
TO_THE_DOOR = {"cgi-rooms", "cgi-points", "cgi-admin", "console", "nginx"}


# Tries all HOST:PORT of its arguments at once, prints those to which a TCP connection came about.
TRY = """for at; do (timeout 3 bash -c 'exec 3<>"/dev/tcp/${1%:*}/${1##*:}"' x "$at" 2>/dev/null && echo "$at") & done; wait"""


def reaches(stack, source, *places):
    """To which of these HOST:PORT a TCP connection comes about, from inside a container."""
    return set(docker("exec", stack.containers(source)[0], "bash", "-c", TRY, "x", *places, check=False).split())


def addresses(stack, name):
    container = stack.inspect(name)[0]
    return [n["IPAddress"] for n in container["NetworkSettings"]["Networks"].values() if n["IPAddress"]]


@pytest.mark.parametrize("source", ARROWS)
def test_container_reaches_what_it_needs_and_nothing_else(stack, source):
    needed = {f"{target}:{port}" for target, port in ARROWS[source].items()}
    # by each of its addresses, whatever names can be resolved
    others = {f"{address}:{port}": target for target, port in PORTS.items() for address in addresses(stack, target)
              if target not in ARROWS[source] and target != source and not (target == "door" and source in TO_THE_DOOR)}
    assert len(others) >= 5
    reached = reaches(stack, source, *needed, *others)
    assert needed <= reached, f"{source} needs {needed - reached}"
    assert reached == needed, {at: others.get(at) for at in reached - needed}


@pytest.mark.parametrize("target", FASTCGI)
def test_service_listens_on_the_gateways_network_alone(stack, target):
    """Other services are on the database's network with it: FastCGI there would be a way past the gateway."""
    name = target.removeprefix("cgi-")
    data = stack.address(target, "data")
    with pytest.raises(OSError):
        socket.create_connection((data, 9000), 3)
    socket.create_connection((stack.address(target, f"app-{name}"), 9000), 3).close()


def test_the_only_way_out_is_the_notifiers(stack):
    """Another bridge of the engine stands for the world outside."""
    network = f"{stack.project}_outside"
    docker("network", "create", "--label", f"com.docker.compose.project={stack.project}", network)
    try:
        outside = docker("run", "--detach", "--rm", "--network", network, "--publish", "0.0.0.0::25", "--entrypoint", "python3.13", f"loyalty-mail:{stack.tag}",
                         "-m", "http.server", "25", "--bind", "0.0.0.0")
        try:
            port = int(docker("port", outside, "25/tcp").splitlines()[0].rsplit(":", 1)[1])
            gateway = json.loads(docker("network", "inspect", network))[0]["IPAM"]["Config"][0]["Gateway"]
            # through the host's address of that other bridge: routed, as anything outside would be
            with ThreadPoolExecutor(len(ARROWS)) as at_once:
                reached = dict(zip(ARROWS, at_once.map(lambda name: reaches(stack, name, f"{gateway}:{port}"), ARROWS)))
            assert [name for name in ARROWS if reached[name]] == ["notifier"], reached
        finally:
            docker("rm", "--force", outside)
    finally:
        docker("network", "rm", network)


def test_host_offers_the_gateways_port_and_no_other(stack):
    published = {c: docker("port", id_) for c in (*OURS, "mysql") for id_ in stack.containers(c)}
    assert {c: p for c, p in published.items() if p} == {"door": f"8443/tcp -> 127.0.0.1:{stack.port}"}


def test_container_of_another_project_reaches_no_one(stack):
    network = f"{stack.project}_other"
    docker("network", "create", "--label", f"com.docker.compose.project={stack.project}", network)
    try:
        places = [f"{address}:{port}" for target, port in PORTS.items() for address in addresses(stack, target)]
        assert len(places) >= len(PORTS)
        assert not docker("run", "--rm", "--network", network, "--entrypoint", "bash", f"loyalty-nginx:{stack.tag}", "-c", TRY, "x", *places)
    finally:
        docker("network", "rm", network)


def test_database_takes_no_connection_without_tls(stack):
    import pymysql
    with pytest.raises(pymysql.err.MySQLError) as e:
        pymysql.connect(host=stack.address("db", "data"), user="root", password=stack.secret("db-root"), ssl_disabled=True)
    assert e.value.args[0] == 3159


@pytest.mark.parametrize("name", ["rooms", "points", "admin", "notifier"])
def test_service_refuses_a_database_whose_certificate_it_cannot_verify(stack, name, tmp_path):
    """With an authority of someone else's, and under a name that is not in the certificate."""
    binary = "notifier" if name == "notifier" else f"cgi-{name}"
    id_ = stack.containers(binary)[0]
    subprocess.run([str(TOP / "native" / "secrets"), str(tmp_path / "s"), "db"], check=True, capture_output=True)
    docker("exec", "--interactive", id_, "sh", "-c", "cat >/tmp/other-ca.crt", stdin=(tmp_path / "s" / "db-ca.crt").read_bytes())
    assert "fine" in docker("exec", id_, binary, "-t")
    for wrong in (f"LOYALTY_DB_HOSTS={stack.address('db', 'data')}", "LOYALTY_DB_TLS_CA=/tmp/other-ca.crt"):
        told = docker("exec", "--env", wrong, id_, binary, "-t", check=False)
        assert "fine" not in told and re.search("verif|certificate|TLS|SSL", told), told
