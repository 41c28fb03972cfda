/* LD_PRELOAD for keepalived on a host without IPVS: every request for the kernel's table succeeds at once. */
static int (*ack)(void *, void *);
static void *ack_arg;
int genl_ctrl_resolve(void *socket, const char *name) { (void)socket; (void)name; return 30; }
int nl_send_auto(void *socket, void *message) { (void)socket; (void)message; return 20; }
int nl_socket_modify_cb(void *socket, int type, int kind, int (*call)(void *, void *), void *arg) {
  (void)socket; (void)kind;
  if (type == 4) { ack = call; ack_arg = arg; } /* NL_CB_ACK */
  return 0;
}
int nl_recvmsgs_default(void *socket) { (void)socket; if (ack) ack(0, ack_arg); return 0; }
