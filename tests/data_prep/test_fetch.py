import hashlib
import socket

import pytest

from data_prep.fetch import FetchError, fetch
from sigconv.errors import UsageError

BODY = bytes(range(256)) * 1000
CHECKSUM = "md5:" + hashlib.md5(BODY).hexdigest()


@pytest.fixture
def target(tmp_path):
    return tmp_path / "raw" / "file.gz"


@pytest.fixture
def url(server):
    server.files["/file.gz"] = BODY
    return f"{server.url}/file.gz"


def part_of(target):
    return target.with_name("file.gz.part")


def test_fetches_a_file_whole(url, target):
    assert fetch(url, target, CHECKSUM) == target
    assert target.read_bytes() == BODY
    assert not part_of(target).exists()


def test_takes_sha256_too(url, target):
    fetch(url, target, "sha256:" + hashlib.sha256(BODY).hexdigest())
    assert target.read_bytes() == BODY


def test_a_file_that_is_there_is_not_fetched_again(url, target, server):
    fetch(url, target, CHECKSUM)
    fetch(url, target, CHECKSUM)
    assert len(server.requests) == 1


def test_a_broken_connection_is_resumed_where_it_broke(url, target, server):
    server.cuts = [100_000, 50_000]
    fetch(url, target, CHECKSUM)
    assert target.read_bytes() == BODY
    assert [wanted for _, wanted in server.requests] == [None, "bytes=100000-", "bytes=150000-"]


def test_the_next_run_resumes_what_an_interrupted_one_left(url, target, server):
    server.cuts = [100_000]
    with pytest.raises(FetchError, match=r"broke off after 100,000 of 256,000 bytes.*goes on after the 100,000"):
        fetch(url, target, CHECKSUM, attempts=1)
    assert not target.exists()
    assert part_of(target).read_bytes() == BODY[:100_000]
    fetch(url, target, CHECKSUM)
    assert target.read_bytes() == BODY
    assert server.requests[-1][1] == "bytes=100000-"


def test_a_connection_that_brings_something_each_time_is_never_given_up(url, target, server):
    server.cuts = [20_000] * 12
    fetch(url, target, CHECKSUM, attempts=2)
    assert target.read_bytes() == BODY


def test_one_that_brings_nothing_is(url, target, server):
    server.cuts = [20_000, 0, 0, 0, 0, 0, 0, 0]
    with pytest.raises(FetchError, match="broke off"):
        fetch(url, target, CHECKSUM, attempts=3)
    assert len(server.requests) == 3


def test_a_server_without_ranges_begins_anew(url, target, server):
    server.ranges = False
    server.cuts = [100_000]
    fetch(url, target, CHECKSUM)
    assert target.read_bytes() == BODY


def test_one_that_breaks_off_again_and_again_is_given_up(url, target, server):
    server.ranges = False
    server.cuts = [100_000, 120_000] * 6
    with pytest.raises(FetchError, match="broke off"):
        fetch(url, target, CHECKSUM, attempts=3)
    assert len(server.requests) == 4  # the second brought more


def test_a_part_that_is_complete_already_needs_no_more_bytes(url, target):
    target.parent.mkdir()
    part_of(target).write_bytes(BODY)
    fetch(url, target, CHECKSUM)
    assert target.read_bytes() == BODY


def test_a_wrong_file_from_the_server_is_named_and_not_kept(url, target, server):
    server.files["/file.gz"] = b"Please sign in to this network."
    found = hashlib.md5(server.files["/file.gz"]).hexdigest()
    with pytest.raises(FetchError) as error:
        fetch(url, target, CHECKSUM)
    for word in (str(part_of(target)), found, CHECKSUM.removeprefix("md5:"), url, "run again"):
        assert word in str(error.value)
    assert list(target.parent.iterdir()) == []


def test_a_part_of_another_file_is_found_out_and_the_next_run_succeeds(url, target):
    target.parent.mkdir()
    part_of(target).write_bytes(b"x" * 1000)
    with pytest.raises(FetchError, match="is damaged"):
        fetch(url, target, CHECKSUM)
    fetch(url, target, CHECKSUM)
    assert target.read_bytes() == BODY


def test_a_damaged_file_that_is_there_is_named_and_left_alone(url, target, server):
    target.parent.mkdir()
    target.write_bytes(BODY[:-1])
    found = hashlib.md5(BODY[:-1]).hexdigest()
    with pytest.raises(UsageError, match=rf"{target} is damaged: its md5 is {found}, it should be .* Delete it"):
        fetch(url, target, CHECKSUM)
    assert target.read_bytes() == BODY[:-1]
    assert server.requests == []


def test_a_refusal_is_final_and_says_what_to_do(server, target):
    with pytest.raises(FetchError) as error:
        fetch(f"{server.url}/none.gz", target, CHECKSUM)
    assert error.value.cause == f"{server.url}/none.gz cannot be fetched: the server answers 404 Not Found"
    assert f"put it at {target}" in str(error.value)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again(url, target, server, status):
    server.statuses = [status, status]
    fetch(url, target, CHECKSUM)
    assert len(server.requests) == 3


def test_a_server_that_stays_busy_is_given_up(url, target, server):
    server.statuses = [503] * 9
    with pytest.raises(FetchError, match="503 Service Unavailable"):
        fetch(url, target, CHECKSUM, attempts=4)
    assert len(server.requests) == 4


def test_no_server_at_all(target):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with pytest.raises(FetchError, match="cannot be fetched: Connection refused"):
        fetch(f"http://127.0.0.1:{port}/file.gz", target, CHECKSUM)


def test_a_server_that_is_silent(target):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/file.gz"
        with pytest.raises(FetchError, match="timed out"):
            fetch(url, target, CHECKSUM, attempts=2, timeout=0.05)


def test_a_full_disk_is_not_blamed_on_the_network(url, target, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("data_prep.fetch.tqdm.update", full)  # called after each write
    with pytest.raises(OSError, match=f"No space left on device: '{part_of(target)}'") as error:
        fetch(url, target, CHECKSUM)
    assert not isinstance(error.value, UsageError)
