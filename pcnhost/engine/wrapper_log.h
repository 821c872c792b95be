/* pcn_log(ctx, LEVEL, "format", up to four values): a message for the service's log.
 * The level is part of a macro's name so that a disabled message leaves nothing behind. */
#define LOG_TRACE 0
#define LOG_DEBUG 1
#define LOG_INFO 2
#define LOG_WARN 3
#define LOG_ERR 4
#define LOG_CRITICAL 5
#define LOG_OFF 6

BPF_PERF_OUTPUT(log_buffer);

static __always_inline void _pcn_log_submit(struct CTXTYPE *ctx, void *message, u32 size) {
  log_buffer.perf_submit(ctx, message, size);
}

#define _pcn_log_emit(ctx, log_level, format, ...)                                     \
  do {                                                                                 \
    struct {                                                                           \
      u16 type, cube_id, level, len;                                                   \
      u64 args[4];                                                                     \
      char text[(sizeof(format) + 7) & ~7ul];                                          \
    } _pcn_message = {0, CUBE_ID, (log_level), sizeof(format), {__VA_ARGS__}, format}; \
    _pcn_log_submit(ctx, &_pcn_message, sizeof(_pcn_message));                         \
  } while (0)

#define pcn_log(ctx, level, ...) _pcn_log_##level(ctx, level, __VA_ARGS__)

#if LOG_LEVEL <= LOG_TRACE
#define _pcn_log_LOG_TRACE _pcn_log_emit
#else
#define _pcn_log_LOG_TRACE(...)
#endif
#if LOG_LEVEL <= LOG_DEBUG
#define _pcn_log_LOG_DEBUG _pcn_log_emit
#else
#define _pcn_log_LOG_DEBUG(...)
#endif
#if LOG_LEVEL <= LOG_INFO
#define _pcn_log_LOG_INFO _pcn_log_emit
#else
#define _pcn_log_LOG_INFO(...)
#endif
#if LOG_LEVEL <= LOG_WARN
#define _pcn_log_LOG_WARN _pcn_log_emit
#else
#define _pcn_log_LOG_WARN(...)
#endif
#if LOG_LEVEL <= LOG_ERR
#define _pcn_log_LOG_ERR _pcn_log_emit
#else
#define _pcn_log_LOG_ERR(...)
#endif
#if LOG_LEVEL <= LOG_CRITICAL
#define _pcn_log_LOG_CRITICAL _pcn_log_emit
#else
#define _pcn_log_LOG_CRITICAL(...)
#endif
