"""The compiler: BCC in a process apart from the host, with a child of that process for each text.

LLVM ends the process it is in when it can't go on, for example with more stack than BPF has, and neither it nor
BCC is made for threads. Here the former costs one answer only, and several texts are compiled at a time.

compile.py starts it as a script, with the descriptor of a socket. Each message there is a request with three
descriptors: a file with the pickled text and flags, a file for what the compiler prints, and a socket for the
answer, which is the descriptor of a file with a pickled Answer and then those of the tables. Without an answer
the text did not compile. The process ends when nobody holds the other end of its socket."""

import ctypes
import os
import pickle
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress

from bcc import BPF
from bcc.libbcc import lib

# Functions of libbcc that its Python module does not declare.
lib.bpf_num_tables.argtypes, lib.bpf_num_tables.restype = [ctypes.c_void_p], ctypes.c_size_t
lib.bpf_table_name.argtypes, lib.bpf_table_name.restype = [ctypes.c_void_p, ctypes.c_size_t], ctypes.c_char_p
lib.bpf_table_fd_id.argtypes, lib.bpf_table_fd_id.restype = [ctypes.c_void_p, ctypes.c_size_t], ctypes.c_int

# Instructions by function, and the tables' descriptors, as the instructions name them, by table.
Answer = tuple[dict[str, bytes], dict[str, int]]

_FDS_IN_A_MESSAGE = 253  # the kernel's limit
_CLONE_NEWNET = 0x40000000
_STDOUT, _STDERR = 1, 2


def compile_here(text: str, cflags: Sequence[str]) -> tuple[BPF, Answer]:
    """Compiles C text in BCC's dialect, in this process; the descriptors belong to the BPF object.

    Raises Exception without any details: those are on stderr."""
    bpf = BPF(text=text.encode(), cflags=list(cflags))
    names = [lib.bpf_function_name(bpf.module, i) for i in range(lib.bpf_num_functions(bpf.module))]
    functions = {name.decode(): bpf.dump_func(name) for name in names}
    tables = {
        lib.bpf_table_name(bpf.module, i).decode(): lib.bpf_table_fd_id(bpf.module, i)
        for i in range(lib.bpf_num_tables(bpf.module))
    }
    return bpf, (functions, tables)


def _answer(request: int, stderr: int, channel: socket.socket) -> None:
    for stream in (_STDOUT, _STDERR):  # BCC uses both for what is wrong
        os.dup2(stderr, stream)
    with os.fdopen(request, "rb") as file:
        text, cflags = pickle.load(file)
    try:
        _, answer = compile_here(text, cflags)
    except Exception as e:
        print(e, file=sys.stderr, flush=True)
        return
    answer_fd = os.memfd_create("answer")
    os.write(answer_fd, pickle.dumps(answer))
    fds = [answer_fd, *answer[1].values()]
    for at in range(0, len(fds), _FDS_IN_A_MESSAGE):
        socket.send_fds(channel, [b"."], fds[at : at + _FDS_IN_A_MESSAGE])


def _warm_up() -> None:
    """A compilation that fails without a word: whatever is wrong, the children say so to those who ask them."""
    streams = {stream: os.dup(stream) for stream in (_STDOUT, _STDERR)}
    null = os.open(os.devnull, os.O_WRONLY)
    for stream in streams:
        os.dup2(null, stream)
    os.close(null)
    with suppress(Exception):
        compile_here("int warm_up(void *ctx) { return 0; }", ())
    for stream, kept in streams.items():
        os.dup2(kept, stream)
        os.close(kept)


def _serve_next(requests: socket.socket) -> bool:
    """Has a child answer the next request; False when none comes any more."""
    fds = socket.recv_fds(requests, 1, 3)[1]
    if fds and os.fork() == 0:
        try:
            requests.close()
            request, stderr, channel = fds
            with socket.socket(fileno=channel) as answer:  # who waits at it need not wait for the exit
                _answer(request, stderr, answer)
        finally:
            os._exit(0)
    for fd in fds:
        os.close(fd)
    return bool(fds)


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the host, which takes this process along
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children
    # So as not to keep alive, where the rights for it are there, the network that the host happens to be in now.
    ctypes.CDLL(None).unshare(_CLONE_NEWNET)
    requests = socket.socket(fileno=int(sys.argv[1]))
    if _serve_next(requests):
        # What every child would have to do by itself; the first is at it already, and its host need not wait.
        _warm_up()
        while _serve_next(requests):
            pass


if __name__ == "__main__":
    main()
