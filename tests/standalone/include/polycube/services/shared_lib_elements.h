#pragma once
#include <stdbool.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif
enum ElementType { BOOLEAN, STRING, INT8, INT16, INT32, INT64, UINT8, UINT16, UINT32, UINT64, DECIMAL };
union ElementValue {
  bool boolean;
  const char *string;
  int8_t int8;
  int16_t int16;
  int32_t int32;
  int64_t int64;
  uint8_t uint8;
  uint16_t uint16;
  uint32_t uint32;
  uint64_t uint64;
};
typedef struct {
  const char *name;
  enum ElementType type;
  union ElementValue value;
} Key;
#ifdef __cplusplus
}
#endif
