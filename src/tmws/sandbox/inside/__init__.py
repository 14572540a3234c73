"""What is tried from inside a sandbox, to see that it is denied.

The server never imports these modules: their text is sent as files of a workspace and
run there, with the standard library only. `held` is strict everywhere: a packet that
was sent and not answered has left the sandbox, and a system call that complains about
its arguments has reached the kernel.
"""
