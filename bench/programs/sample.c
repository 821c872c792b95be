/* Counts where a CPU's clock has found it. */
#include <uapi/linux/bpf_perf_event.h>
#include <uapi/linux/ptrace.h>

struct place {
  u32 process;
  s32 stack;   /* of the kernel */
  u64 user_ip; /* when there is none */
};

BPF_HASH(counts, struct place, u64, 65536);
BPF_STACK_TRACE(stacks, 131072);

int sample(struct bpf_perf_event_data *ctx) {
  struct place place = {.process = bpf_get_current_pid_tgid() >> 32, .stack = stacks.get_stackid(ctx, 0)};
  if (place.stack < 0) place.user_ip = PT_REGS_IP(&ctx->regs);
  counts.increment(place);
  return 0;
}
