// List keys as handlers receive them, in C so that the symbols keep a plain ABI.
#pragma once

#ifdef __cplusplus
#include <cstdint>
extern "C" {
#else
#include <stdbool.h>
#include <stdint.h>
#endif

enum ElementType {
  BOOLEAN = 0,
  STRING = 1,
  INT8 = 2,
  INT16 = 3,
  INT32 = 4,
  INT64 = 5,
  UINT8 = 6,
  UINT16 = 7,
  UINT32 = 8,
  UINT64 = 9,
  DECIMAL = 10,  // its value is in `string`
};

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

// Every pointer is valid only while the handler runs.
typedef struct {
  const char *name;
  enum ElementType type;
  union ElementValue value;
} Key;

#ifdef __cplusplus
}
#endif
