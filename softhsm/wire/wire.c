/* A PKCS#11 module in front of another one: a slow wire, and faults that are switched by files.
 *
 * Built by the `softhsm` crate for tests and benchmarks, with REAL (path of the module behind) and FAULTS (a directory)
 * given by the compiler's -D. Files in FAULTS, FN being a function's name without the C_:
 *   wire        microseconds that FN = Sign takes longer, each way
 *   hang.FN     FN does not return while the file exists
 *   crash.FN    FN aborts the process, once (the file is removed first)
 *   fail.FN     FN answers the code in the file (hexadecimal) while the file exists
 *   once.FN     the same, once
 *   flip        signatures come back with one bit flipped
 *   dead        whoever loads the module is aborted by it
 *   terse       GenerateKeyPair refuses to be told what a private key shall not do (CKR_TEMPLATE_INCONSISTENT)
 *   count       calls of SignInit are in `calls`, too, while the file exists
 *   calls       every call of the functions below but Sign, one name a line (append)
 * Functions not listed at the end go straight to the module behind.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef unsigned long rv;
typedef unsigned long ul;
typedef struct { unsigned char version[2]; void *function[68]; } list;
typedef struct { ul type; void *value; ul length; } attribute;

static list ours;
static list *real;

static int there(const char *kind, const char *name, char *path) {
  snprintf(path, 512, "%s/%s%s", FAULTS, kind, name);
  return access(path, F_OK) == 0;
}

static ul number(const char *path, int base) {
  char text[32];
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  ssize_t length = read(file, text, sizeof text - 1);
  close(file);
  if (length <= 0) return 0;
  text[length] = 0;
  return strtoul(text, 0, base);
}

static void note(const char *name) {
  char path[512], line[64];
  snprintf(path, sizeof path, "%s/calls", FAULTS);
  int file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return;
  int length = snprintf(line, sizeof line, "%s\n", name);
  if (write(file, line, (size_t)length) != length) abort();
  close(file);
}

/* 0, or the code that the call must answer instead of being made. */
static rv before(const char *name) {
  char path[512];
  while (there("hang.", name, path)) usleep(5000);
  if (there("crash.", name, path) && unlink(path) == 0) abort();
  if (there("once.", name, path)) {
    rv code = number(path, 16);
    if (unlink(path) == 0) return code;
  }
  if (there("fail.", name, path)) return number(path, 16);
  return 0;
}

__attribute__((constructor)) static void loaded(void) {
  char path[512];
  if (there("dead", "", path)) abort();
}

static void travel(void) {
  char path[512];
  if (there("wire", "", path)) usleep((useconds_t)number(path, 10));
}

#define FRONT(NAME, PLACE, PARAMETERS, ARGUMENTS)                                   \
  static rv front_##NAME PARAMETERS {                                              \
    note(#NAME);                                                                   \
    rv code = before(#NAME);                                                       \
    return code ? code : ((rv(*) PARAMETERS)real->function[PLACE])ARGUMENTS;       \
  }

FRONT(Initialize, 0, (void *arguments), (arguments))
FRONT(Finalize, 1, (void *reserved), (reserved))
FRONT(GetTokenInfo, 6, (ul slot, void *info), (slot, info))
FRONT(OpenSession, 12, (ul slot, ul flags, void *p, void *notify, ul *session), (slot, flags, p, notify, session))
FRONT(Login, 18, (ul session, ul user, unsigned char *pin, ul length), (session, user, pin, length))
FRONT(CreateObject, 20, (ul session, void *template, ul count, ul *object), (session, template, count, object))
FRONT(DestroyObject, 22, (ul session, ul object), (session, object))
FRONT(FindObjectsInit, 26, (ul session, void *template, ul count), (session, template, count))

static rv front_GenerateKeyPair(ul s, void *m, void *a, ul b, attribute *c, ul d, ul *e, ul *f) {
  char path[512];
  note("GenerateKeyPair");
  rv code = before("GenerateKeyPair");
  if (code) return code;
  for (ul i = 0; i < d && there("terse", "", path); i++)
    if (c[i].type == 0x105 /* CKA_DECRYPT */) return 0xd1;
  return ((rv(*)(ul, void *, void *, ul, attribute *, ul, ul *, ul *))real->function[59])(s, m, a, b, c, d, e, f);
}

static rv front_SignInit(ul session, void *mechanism, ul key) {
  char path[512];
  if (there("count", "", path)) note("SignInit");
  rv code = before("SignInit");
  return code ? code : ((rv(*)(ul, void *, ul))real->function[42])(session, mechanism, key);
}

static rv front_Sign(ul session, unsigned char *data, ul length, unsigned char *out, ul *out_length) {
  char path[512];
  rv code = before("Sign");
  if (code) return code;
  travel();
  code = ((rv(*)(ul, unsigned char *, ul, unsigned char *, ul *))real->function[43])(session, data, length, out, out_length);
  travel();
  if (code == 0 && out && there("flip", "", path)) out[*out_length - 1] ^= 1;
  return code;
}

static rv front_GetFunctionList(list **answer);

static int connect_real(void) {
  static int done;
  if (done) return 1;
  void *library = dlopen(REAL, RTLD_NOW | RTLD_LOCAL);
  if (!library) return 0;
  rv (*get)(list **) = (rv(*)(list **))dlsym(library, "C_GetFunctionList");
  if (!get || get(&real) != 0) return 0;
  ours = *real;
  ours.function[0] = (void *)front_Initialize;
  ours.function[1] = (void *)front_Finalize;
  ours.function[3] = (void *)front_GetFunctionList;
  ours.function[6] = (void *)front_GetTokenInfo;
  ours.function[12] = (void *)front_OpenSession;
  ours.function[18] = (void *)front_Login;
  ours.function[20] = (void *)front_CreateObject;
  ours.function[22] = (void *)front_DestroyObject;
  ours.function[26] = (void *)front_FindObjectsInit;
  ours.function[42] = (void *)front_SignInit;
  ours.function[43] = (void *)front_Sign;
  ours.function[59] = (void *)front_GenerateKeyPair;
  return done = 1;
}

static rv front_GetFunctionList(list **answer) {
  if (!connect_real()) return 5;
  *answer = &ours;
  return 0;
}

rv C_GetFunctionList(list **answer) { return front_GetFunctionList(answer); }
