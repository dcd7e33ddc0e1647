/* A PKCS #11 module that asks the interposer (a process of its own) around every
 * call that finds, makes, unwraps or uses a key, and else is the module that
 * FAKEHSM_MODULE names. What the interposer has not answered does not happen: a
 * lost connection is CKR_DEVICE_ERROR before any key is used. Lines go out on the
 * Unix socket FAKEHSM_SOCKET; each is answered by one line with a number. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

typedef unsigned long UL;
typedef unsigned char B;
struct attribute { UL type; void *value; UL len; };
struct mechanism { UL type; void *param; UL len; };
struct list { B major, minor; void *f[68]; };

enum { GET_TOKEN_INFO = 6, OPEN_SESSION = 12, LOGIN = 18, FIND_INIT = 26, FIND = 27, SIGN_INIT = 42, SIGN = 43, GENERATE_PAIR = 59, WRAP = 60, UNWRAP = 61 };
enum { CKR_DEVICE_ERROR = 0x30, CKA_LABEL = 3, CKA_SENSITIVE = 0x103, CKA_EXTRACTABLE = 0x162 };
enum { FLIP = 1, SHORT = 2 };
enum { TOLERANT = 1, OPEN = 2 };
enum { MOST_ATTRIBUTES = 32, MOST_BLOB = 8192 };

static struct list ours, *real;
static FILE *line;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void put_hex(const B *b, UL n)
{
	putc(' ', line);
	if (n == 0)
		putc('-', line);
	for (UL i = 0; i < n; i++)
		fprintf(line, "%02x", b[i]);
}

/* ask ends the line that was begun and reads the answer; the lock is held. */
static UL ask(void)
{
	char answer[64];
	putc('\n', line);
	if (fflush(line) != 0 || fgets(answer, sizeof answer, line) == NULL)
		return CKR_DEVICE_ERROR;
	return strtoul(answer, NULL, 0);
}

static int begin(const char *word)
{
	pthread_mutex_lock(&lock);
	if (line == NULL) {
		pthread_mutex_unlock(&lock);
		return 0;
	}
	fputs(word, line);
	return 1;
}

static UL done(void)
{
	UL rv = ask();
	pthread_mutex_unlock(&lock);
	return rv;
}

/* may asks whether the token is there. */
static UL may(int call)
{
	if (!begin("call"))
		return CKR_DEVICE_ERROR;
	fprintf(line, " %d", call);
	return done();
}

static UL get_token_info(UL slot, void *info)
{
	UL rv = may(GET_TOKEN_INFO);
	return rv ? rv : ((UL(*)(UL, void *))real->f[GET_TOKEN_INFO])(slot, info);
}

static UL open_session(UL slot, UL flags, void *app, void *notify, UL *session)
{
	UL rv = may(OPEN_SESSION);
	return rv ? rv : ((UL(*)(UL, UL, void *, void *, UL *))real->f[OPEN_SESSION])(slot, flags, app, notify, session);
}

static UL login(UL session, UL user, B *pin, UL n)
{
	UL rv = may(LOGIN);
	if (rv)
		return rv;
	rv = ((UL(*)(UL, UL, B *, UL))real->f[LOGIN])(session, user, pin, n);
	if (!begin("login"))
		return CKR_DEVICE_ERROR;
	fprintf(line, " %lu", rv);
	done();
	return rv;
}

static UL find_init(UL session, struct attribute *t, UL n)
{
	UL rv = ((UL(*)(UL, struct attribute *, UL))real->f[FIND_INIT])(session, t, n);
	if (!begin("find"))
		return CKR_DEVICE_ERROR;
	for (UL i = 0; i < n; i++)
		if (t[i].type == CKA_LABEL)
			put_hex(t[i].value, t[i].len);
	done();
	return rv;
}

static UL find(UL session, UL *objects, UL max, UL *count)
{
	UL rv = ((UL(*)(UL, UL *, UL, UL *))real->f[FIND])(session, objects, max, count);
	if (!begin("found"))
		return CKR_DEVICE_ERROR;
	for (UL i = 0; rv == 0 && i < *count; i++)
		fprintf(line, " %lu", objects[i]);
	done();
	return rv;
}

static UL generate_pair(UL session, struct mechanism *m, struct attribute *a, UL na, struct attribute *b, UL nb, UL *pub, UL *priv)
{
	UL rv = ((UL(*)(UL, struct mechanism *, struct attribute *, UL, struct attribute *, UL, UL *, UL *))real->f[GENERATE_PAIR])(
		session, m, a, na, b, nb, pub, priv);
	if (rv == 0) {
		if (!begin("generated"))
			return CKR_DEVICE_ERROR;
		fprintf(line, " %lu", *priv);
		done();
	}
	return rv;
}

/* Asked for the length only, C_WrapKey wraps nothing. */
static UL wrap(UL session, struct mechanism *m, UL kek, UL key, B *out, UL *len)
{
	UL rv = ((UL(*)(UL, struct mechanism *, UL, UL, B *, UL *))real->f[WRAP])(session, m, kek, key, out, len);
	if (rv == 0 && out != NULL) {
		if (!begin("wrapped"))
			return CKR_DEVICE_ERROR;
		fprintf(line, " %lu", key);
		put_hex(out, *len);
		done();
	}
	return rv;
}

/* A module that keeps no template makes every unwrapped key readable. */
static UL opened(struct attribute *t, UL nt, struct attribute *out)
{
	static B no = 0, yes = 1;
	if (nt > MOST_ATTRIBUTES)
		return 0;
	memcpy(out, t, nt * sizeof *t);
	for (UL i = 0; i < nt; i++)
		if (out[i].type == CKA_SENSITIVE)
			out[i].value = &no;
		else if (out[i].type == CKA_EXTRACTABLE)
			out[i].value = &yes;
	return nt;
}

/* A module that does not look at the padding takes a changed blob for the last good one. */
static B last_blob[MOST_BLOB];
static UL last_len;

static UL unwrap(UL session, struct mechanism *m, UL kek, B *blob, UL n, struct attribute *t, UL nt, UL *key)
{
	UL (*f)(UL, struct mechanism *, UL, B *, UL, struct attribute *, UL, UL *) =
		(UL(*)(UL, struct mechanism *, UL, B *, UL, struct attribute *, UL, UL *))real->f[UNWRAP];
	struct attribute open[MOST_ATTRIBUTES];
	UL rv = may(UNWRAP);
	if (rv)
		return rv;
	if (!begin("unwrapping"))
		return CKR_DEVICE_ERROR;
	UL lie = done();
	if (lie & OPEN && opened(t, nt, open))
		t = open;
	rv = f(session, m, kek, blob, n, t, nt, key);
	if (rv == 0 && n <= MOST_BLOB) {
		memcpy(last_blob, blob, n);
		last_len = n;
	} else if (rv != 0 && lie & TOLERANT && last_len > 0)
		rv = f(session, m, kek, last_blob, last_len, t, nt, key);
	if (rv == 0) {
		if (!begin("unwrapped"))
			return CKR_DEVICE_ERROR;
		fprintf(line, " %lu", *key);
		put_hex(blob, n);
		done();
	}
	return rv;
}

static UL sign_init(UL session, struct mechanism *m, UL key)
{
	if (!begin("init"))
		return CKR_DEVICE_ERROR;
	fprintf(line, " %lu %lu %lu", session, m->type, key);
	done();
	return ((UL(*)(UL, struct mechanism *, UL))real->f[SIGN_INIT])(session, m, key);
}

/* Asked for the length only, C_Sign makes no signature. */
static UL sign(UL session, B *in, UL n, B *out, UL *len)
{
	UL (*f)(UL, B *, UL, B *, UL *) = (UL(*)(UL, B *, UL, B *, UL *))real->f[SIGN];
	if (out == NULL)
		return f(session, in, n, out, len);
	if (!begin("sign"))
		return CKR_DEVICE_ERROR;
	fprintf(line, " %lu", session);
	put_hex(in, n);
	UL rv = done();
	if (rv)
		return rv;
	rv = f(session, in, n, out, len);
	if (!begin("signed"))
		return CKR_DEVICE_ERROR;
	fprintf(line, " %lu %lu", session, rv);
	put_hex(out, rv == 0 ? *len : 0);
	UL spoil = done();
	if (rv == 0 && spoil == FLIP)
		out[*len - 1] ^= 1;
	if (rv == 0 && spoil == SHORT)
		(*len)--;
	return rv;
}

static FILE *connected(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || strlen(path) >= sizeof a.sun_path)
		return NULL;
	strcpy(a.sun_path, path);
	if (connect(fd, (struct sockaddr *)&a, sizeof a) != 0) {
		close(fd);
		return NULL;
	}
	return fdopen(fd, "r+");
}

UL C_GetFunctionList(struct list **out)
{
	const char *module = getenv("FAKEHSM_MODULE"), *path = getenv("FAKEHSM_SOCKET");
	if (real == NULL) {
		void *lib = module ? dlopen(module, RTLD_NOW) : NULL;
		UL (*get)(struct list **) = lib ? (UL(*)(struct list **))dlsym(lib, "C_GetFunctionList") : NULL;
		if (get == NULL || path == NULL || (line = connected(path)) == NULL || get(&real) != 0)
			return CKR_DEVICE_ERROR;
		ours = *real;
		ours.f[3] = C_GetFunctionList;
		ours.f[GET_TOKEN_INFO] = get_token_info;
		ours.f[OPEN_SESSION] = open_session;
		ours.f[LOGIN] = login;
		ours.f[FIND_INIT] = find_init;
		ours.f[FIND] = find;
		ours.f[SIGN_INIT] = sign_init;
		ours.f[SIGN] = sign;
		ours.f[GENERATE_PAIR] = generate_pair;
		ours.f[WRAP] = wrap;
		ours.f[UNWRAP] = unwrap;
	}
	*out = &ours;
	return 0;
}
