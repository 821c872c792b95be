#pragma once
#ifdef __cplusplus
extern "C" {
#endif
enum ErrorTag {
  kOk,
  kCreated,
  kNoContent,
  kBadRequest,
  kGenericError,
  kInvalidValue,
  kMissingAttribute,
  kMissingElement,
  kBadAttribute,
  kBadElement,
  kDataExists,
  kDataMissing,
  kOperationNotSupported,
  kUnparsableChoice
};
enum HelpType { SHOW, ADD, SET, DEL, NONE, NO_HELP };
typedef struct Response {
  const enum ErrorTag error_tag;
  char *message;
} Response;
#ifdef __cplusplus
}
#endif
