//! One worker thread: epoll, tasks, timers, sockets, splice, signals, children
