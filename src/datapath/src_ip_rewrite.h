/* Virtual addresses of clients, for backends to see. */

enum rewriting { REWRITE_OFF, REWRITE_ON, REWRITE_CHANGED };

/* Copies the setting. REWRITE_CHANGED when it was being written meanwhile: then the copy is of no use. */
static __always_inline enum rewriting copy_rewrite(struct src_ip_rewrite *rewrite) {
  __u32 zero = 0;
  const struct src_ip_rewrite *current = src_ip_rewrite.lookup(&zero);
  if (!current) return REWRITE_OFF;
  rewrite->check = LOAD_ONCE(current->check);
  if (!rewrite->check) return REWRITE_OFF;
  rewrite->net = LOAD_ONCE(current->net);
  rewrite->new_net = LOAD_ONCE(current->new_net);
  rewrite->mask = LOAD_ONCE(current->mask);
  return rewrite->check == rewrite_check(rewrite) ? REWRITE_ON : REWRITE_CHANGED;
}

/* Fills in the address under which the backend sees the client. False when the setting is being changed. */
static __always_inline bool show_client(struct session *session) {
  __be32 client = session->front.client;
  session->back.client = client;
  if (client == session->back.server) {
    /* Hairpin: a pod that got itself as backend drops packets from its own address. */
    session->back.client = session->front.server;
    return true;
  }
  struct src_ip_rewrite rewrite;
  enum rewriting rewriting = copy_rewrite(&rewrite);
  if (rewriting == REWRITE_ON && (client & rewrite.mask) == rewrite.net)
    session->back.client = rewrite.new_net | (client & ~rewrite.mask);
  return rewriting != REWRITE_CHANGED;
}
