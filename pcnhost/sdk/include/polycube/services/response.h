// What a handler answers, in C so that the symbols keep a plain ABI.
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

enum ErrorTag {
  kOk = 0,
  kCreated = 1,
  kNoContent = 2,
  kBadRequest = 3,
  kGenericError = 4,
  kInvalidValue = 5,
  kMissingAttribute = 6,
  kMissingElement = 7,
  kBadAttribute = 8,
  kBadElement = 9,
  kDataExists = 10,
  kDataMissing = 11,
  kOperationNotSupported = 12,
  kUnparsableChoice = 13,
};

enum HelpType { SHOW = 0, ADD = 1, SET = 2, DEL = 3, NONE = 4, NO_HELP = 5 };

// `message` is NULL or from malloc(); the host sends it as the HTTP body and frees it.
typedef struct Response {
  const enum ErrorTag error_tag;
  char *message;
} Response;

#ifdef __cplusplus
}
#endif
