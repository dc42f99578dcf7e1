/* SPDX-License-Identifier: GPL-2.0-only */
/* The methods of io.kvmwarden.Manager and org.varlink.service. */
#include "manager-internal.h"

#include <jansson.h>

#include "cli.h"
#include "json-read.h"
#include "names.h"
#include "util.h"

#define ERROR_INTERFACE_NOT_FOUND KW_INTERFACE_SERVICE ".InterfaceNotFound"
#define ERROR_METHOD_NOT_FOUND KW_INTERFACE_SERVICE ".MethodNotFound"
#define ERROR_NOT_IMPLEMENTED KW_INTERFACE_SERVICE ".MethodNotImplemented"
#define ERROR_INVALID_PARAMETER KW_INTERFACE_SERVICE ".InvalidParameter"
#define ERROR_PERMISSION_DENIED KW_INTERFACE_SERVICE ".PermissionDenied"
#define ERROR_EXPECTED_MORE KW_INTERFACE_SERVICE ".ExpectedMore"
#define ERROR_FAILED KW_INTERFACE ".Failed"

/* The description of our interface, as a string: the file is the only copy. */
extern const char kw_interface_text[] __attribute__((visibility("hidden")));
__asm__(".pushsection .rodata\n"
	".globl kw_interface_text\n"
	".hidden kw_interface_text\n"
	".type kw_interface_text, @object\n"
	"kw_interface_text:\n"
	".incbin \"io.kvmwarden.Manager.varlink\"\n"
	".byte 0\n"
	".size kw_interface_text, . - kw_interface_text\n"
	".popsection\n");

/* As the varlink specification has it. */
static const char service_text[] =
	"# The interface that every varlink service has.\n"
	"interface org.varlink.service\n"
	"\n"
	"method GetInfo() -> (\n"
	"  vendor: string,\n"
	"  product: string,\n"
	"  version: string,\n"
	"  url: string,\n"
	"  interfaces: []string\n"
	")\n"
	"\n"
	"method GetInterfaceDescription(interface: string) -> (description: string)\n"
	"\n"
	"error InterfaceNotFound (interface: string)\n"
	"error MethodNotFound (method: string)\n"
	"error MethodNotImplemented (method: string)\n"
	"error InvalidParameter (parameter: string)\n"
	"error PermissionDenied ()\n"
	"error ExpectedMore ()\n";

KW_DEFINE_CLEANUP(json_t, json_decref)

struct request {
	const char *method;
	json_t *parameters; /* an object, or NULL */
	int more;
	int oneway;
	int upgrade;
};

struct method {
	const char *name;
	bool root_only;
	bool needs_more;
	const char *const *parameters; /* their names, NULL-terminated */
	int (*call)(struct session *session, const struct request *request);
};

static int reply_json(struct session *session, const struct kw_json *json)
{
	if (json->failed)
		return -ENOMEM;
	return kw_session_reply(session, json->text, json->len, false);
}

static int invalid_parameter(struct session *session, const char *name)
{
	return kw_session_reply_error(session, ERROR_INVALID_PARAMETER, "parameter", name);
}

/* A parameter that is absent or null leaves *ret alone. */
static json_t *parameter(const struct request *request, const char *name)
{
	json_t *value = json_object_get(request->parameters, name);

	return json_is_null(value) ? NULL : value;
}

static int call_get_info(struct session *session, const struct request *request)
{
	struct kw_json *json = &session->manager->reply;

	(void)request;
	kw_json_reset(json);
	kw_json_open_object(json);
	kw_json_member_string(json, "vendor", "The kvmwarden project");
	kw_json_member_string(json, "product", "kvmwarden");
	kw_json_member_string(json, "version", KW_VERSION);
	kw_json_member_string(json, "url", "");
	kw_json_key(json, "interfaces");
	kw_json_open_array(json);
	kw_json_string(json, KW_INTERFACE);
	kw_json_string(json, KW_INTERFACE_SERVICE);
	kw_json_close_array(json);
	kw_json_close_object(json);
	return reply_json(session, json);
}

static int call_get_description(struct session *session, const struct request *request)
{
	const char *name = json_string_value(parameter(request, "interface"));
	struct kw_json *json = &session->manager->reply;
	const char *text;

	if (!name)
		return invalid_parameter(session, "interface");
	if (kw_streq(name, KW_INTERFACE))
		text = kw_interface_text;
	else if (kw_streq(name, KW_INTERFACE_SERVICE))
		text = service_text;
	else
		return kw_session_reply_error(session, ERROR_INTERFACE_NOT_FOUND, "interface",
					      name);
	kw_json_reset(json);
	kw_json_open_object(json);
	kw_json_member_string(json, "description", text);
	kw_json_close_object(json);
	return reply_json(session, json);
}

static int reply_failed(struct session *session, int error, const char *message)
{
	struct kw_json json = {};
	int r = -ENOMEM;

	kw_json_open_object(&json);
	kw_json_member_string(&json, "error", ERROR_FAILED);
	kw_json_key(&json, "parameters");
	kw_json_open_object(&json);
	kw_json_member_string(&json, "message", message ? message : strerror(error));
	kw_json_member_string(&json, "errno", kw_errno_name(error));
	kw_json_close_object(&json);
	kw_json_close_object(&json);
	if (!json.failed)
		r = kw_outbox_append(&session->out, json.text, json.len + 1);
	kw_json_done(&json);
	return r;
}

/* Sends what an op of the daemon's left: its reply, or why there is none. */
static int finish(struct session *session, int r, const char *message)
{
	if (r < 0)
		return reply_failed(session, -r, message);
	r = reply_json(session, &session->manager->reply);
	kw_json_reset(&session->manager->reply);
	return r;
}

static int call_daemon(struct session *session,
		       int (*op)(void *userdata, struct kw_json *reply, char **reterr))
{
	struct kw_json *json = &session->manager->reply;
	_cleanup_free_ char *message = NULL;
	int r;

	kw_json_reset(json);
	r = op(session->manager->userdata, json, &message);
	return finish(session, r, message);
}

static int call_status(struct session *session, const struct request *request)
{
	(void)request;
	return call_daemon(session, session->manager->ops->status);
}

static int call_prove(struct session *session, const struct request *request)
{
	const struct kw_manager *manager = session->manager;
	struct kw_json *reply = &session->manager->reply;
	_cleanup_free_ char *message = NULL;
	int r;

	(void)request;
	kw_json_reset(reply);
	kw_json_open_object(reply);
	kw_json_key(reply, "status");
	r = manager->ops->prove(manager->userdata, reply, &message);
	kw_json_close_object(reply);
	return finish(session, r, message);
}

static int call_vms(struct session *session, const struct request *request)
{
	(void)request;
	return call_daemon(session, session->manager->ops->vms);
}

static int call_reload(struct session *session, const struct request *request)
{
	(void)request;
	return call_daemon(session, session->manager->ops->reload);
}

static int call_unload(struct session *session, const struct request *request)
{
	(void)request;
	return call_daemon(session, session->manager->ops->unload);
}

static int call_set_mode(struct session *session, const struct request *request)
{
	const struct kw_manager *manager = session->manager;
	const char *policy = json_string_value(parameter(request, "policy"));
	const char *mode = json_string_value(parameter(request, "mode"));
	_cleanup_free_ char *message = NULL;
	int r, value = mode ? kw_mode_from_name(mode) : -EINVAL;

	if (!policy)
		return invalid_parameter(session, "policy");
	if (!mode || (value < 0 && !kw_streq(mode, "file")))
		return invalid_parameter(session, "mode");
	kw_json_reset(&session->manager->reply);
	r = manager->ops->set_mode(manager->userdata, policy, value < 0 ? -1 : value, session->uid,
				   &session->manager->reply, &message);
	return finish(session, r, message);
}

static int call_allow(struct session *session, const struct request *request)
{
	const struct kw_manager *manager = session->manager;
	json_t *vm = parameter(request, "vm"), *seconds = parameter(request, "seconds");
	_cleanup_free_ char *message = NULL;
	struct kw_allow allow = {
		.operation = json_string_value(parameter(request, "operation")),
		.reason = json_string_value(parameter(request, "reason")),
		.uid = session->uid,
	};
	int r;

	if (!json_is_integer(vm) || json_integer_value(vm) <= 0)
		return invalid_parameter(session, "vm");
	if (!allow.operation)
		return invalid_parameter(session, "operation");
	if (!json_is_integer(seconds) || json_integer_value(seconds) < 1 ||
	    json_integer_value(seconds) > KW_ALLOW_SECONDS_MAX)
		return invalid_parameter(session, "seconds");
	if (!allow.reason || !*allow.reason || strlen(allow.reason) > KW_ALLOW_REASON_MAX)
		return invalid_parameter(session, "reason");
	allow.vm = (uint64_t)json_integer_value(vm);
	allow.seconds = (uint64_t)json_integer_value(seconds);
	kw_json_reset(&session->manager->reply);
	r = manager->ops->allow(manager->userdata, &allow, &session->manager->reply, &message);
	return finish(session, r, message);
}

static int call_end_exception(struct session *session, const struct request *request)
{
	const struct kw_manager *manager = session->manager;
	json_t *id = parameter(request, "exception");
	_cleanup_free_ char *message = NULL;
	int r;

	if (!json_is_integer(id) || json_integer_value(id) <= 0)
		return invalid_parameter(session, "exception");
	kw_json_reset(&session->manager->reply);
	r = manager->ops->end_exception(manager->userdata, (uint64_t)json_integer_value(id),
					&session->manager->reply, &message);
	return finish(session, r, message);
}

/* The last ones, at most count, oldest first. */
static int reply_recent(struct session *session, size_t count)
{
	const struct kw_manager *manager = session->manager;
	size_t i, at;
	int r;

	if (count > manager->recent_count)
		count = manager->recent_count;
	for (i = count; i > 0; i--) {
		at = (manager->recent_next + KW_MANAGER_RECENT_MAX - i) % KW_MANAGER_RECENT_MAX;
		if (manager->recent[at].len == 0)
			continue;
		r = kw_session_reply_event(session, manager->recent[at].text,
					   manager->recent[at].len);
		if (r < 0)
			return r;
	}
	return 0;
}

static int call_follow(struct session *session, const struct request *request)
{
	json_t *recent = parameter(request, "recent");
	json_t *follow = parameter(request, "follow");
	int r;

	if (recent && (!json_is_integer(recent) || json_integer_value(recent) < 0))
		return invalid_parameter(session, "recent");
	if (follow && !json_is_boolean(follow))
		return invalid_parameter(session, "follow");
	r = reply_recent(session, recent ? (size_t)json_integer_value(recent) : SIZE_MAX);
	if (r < 0)
		return r;
	session->following = json_is_true(follow);
	return kw_session_reply(session, "{}", 2, session->following);
}

static const char *const no_parameters[] = {NULL};
static const char *const follow_parameters[] = {"recent", "follow", NULL};
static const char *const description_parameters[] = {"interface", NULL};

static const char *const mode_parameters[] = {"policy", "mode", NULL};
static const char *const allow_parameters[] = {"vm", "operation", "seconds", "reason", NULL};
static const char *const exception_parameters[] = {"exception", NULL};

static const struct method methods[] = {
	{
		.name = KW_INTERFACE_SERVICE ".GetInfo",
		.parameters = no_parameters,
		.call = call_get_info,
	},
	{
		.name = KW_INTERFACE_SERVICE ".GetInterfaceDescription",
		.parameters = description_parameters,
		.call = call_get_description,
	},
	{
		.name = KW_INTERFACE ".GetStatus",
		.parameters = no_parameters,
		.call = call_status,
	},
	{
		.name = KW_INTERFACE ".Prove",
		.root_only = true,
		.parameters = no_parameters,
		.call = call_prove,
	},
	{
		.name = KW_INTERFACE ".ListVMs",
		.parameters = no_parameters,
		.call = call_vms,
	},
	{
		.name = KW_INTERFACE ".FollowEvents",
		.needs_more = true,
		.parameters = follow_parameters,
		.call = call_follow,
	},
	{
		.name = KW_INTERFACE ".Reload",
		.root_only = true,
		.parameters = no_parameters,
		.call = call_reload,
	},
	{
		.name = KW_INTERFACE ".SetPolicyMode",
		.root_only = true,
		.parameters = mode_parameters,
		.call = call_set_mode,
	},
	{
		.name = KW_INTERFACE ".Allow",
		.root_only = true,
		.parameters = allow_parameters,
		.call = call_allow,
	},
	{
		.name = KW_INTERFACE ".EndException",
		.root_only = true,
		.parameters = exception_parameters,
		.call = call_end_exception,
	},
	{
		.name = KW_INTERFACE ".Unload",
		.root_only = true,
		.parameters = no_parameters,
		.call = call_unload,
	},
};

static const struct method *find_method(const char *name)
{
	size_t i;

	for (i = 0; i < KW_ARRAY_SIZE(methods); i++)
		if (kw_streq(methods[i].name, name))
			return &methods[i];
	return NULL;
}

/* Is the method's interface one of ours, whatever the method? */
static bool is_our_interface(const char *method)
{
	static const char *const names[] = {KW_INTERFACE, KW_INTERFACE_SERVICE};
	const char *dot = strrchr(method, '.');
	size_t i, len = dot ? (size_t)(dot - method) : 0;

	for (i = 0; i < KW_ARRAY_SIZE(names); i++)
		if (len == strlen(names[i]) && memcmp(method, names[i], len) == 0)
			return true;
	return false;
}

static int reply_no_method(struct session *session, const char *method)
{
	_cleanup_free_ char *interface = strdup(method);
	char *dot;

	if (!interface)
		return -ENOMEM;
	dot = strrchr(interface, '.');
	if (is_our_interface(method))
		return kw_session_reply_error(session, ERROR_METHOD_NOT_FOUND, "method", method);
	if (dot)
		*dot = '\0';
	return kw_session_reply_error(session, ERROR_INTERFACE_NOT_FOUND, "interface", interface);
}

/* The first parameter that the method does not have, or NULL. */
static const char *find_unknown_parameter(const struct method *method, json_t *parameters)
{
	const char *name;
	json_t *value;
	size_t i;

	json_object_foreach (parameters, name, value) {
		for (i = 0; method->parameters[i]; i++)
			if (kw_streq(method->parameters[i], name))
				break;
		if (!method->parameters[i])
			return name;
	}
	return NULL;
}

static int dispatch(struct session *session, const struct request *request)
{
	const struct method *method = find_method(request->method);
	const char *unknown;

	if (!method)
		return reply_no_method(session, request->method);
	if (request->upgrade)
		return kw_session_reply_error(session, ERROR_NOT_IMPLEMENTED, "method",
					      request->method);
	if (method->root_only && session->uid != 0)
		return kw_session_reply_error(session, ERROR_PERMISSION_DENIED, NULL, NULL);
	if (method->needs_more && !request->more)
		return kw_session_reply_error(session, ERROR_EXPECTED_MORE, NULL, NULL);
	unknown = find_unknown_parameter(method, request->parameters);
	if (unknown)
		return invalid_parameter(session, unknown);
	return method->call(session, request);
}

int kw_manager_call(struct session *session, const char *text, size_t len)
{
	_cleanup_(json_decref_cleanup) json_t *root = NULL;
	struct request request = {};
	size_t pending = kw_outbox_pending(&session->out);
	int r;

	root = kw_json_read(text, len, JSON_REJECT_DUPLICATES);
	if (!root)
		return -EBADMSG;
	if (json_unpack_ex(root, NULL, JSON_STRICT, "{s:s, s?o, s?b, s?b, s?b}", "method",
			   &request.method, "parameters", &request.parameters, "more",
			   &request.more, "oneway", &request.oneway, "upgrade",
			   &request.upgrade) < 0)
		return -EBADMSG;
	if (json_is_null(request.parameters))
		request.parameters = NULL;
	if (request.parameters && !json_is_object(request.parameters))
		return -EBADMSG;
	r = dispatch(session, &request);
	if (r < 0 || !request.oneway)
		return r;
	/* Done, and nobody wants to hear of it. */
	session->following = false;
	session->out.len -= kw_outbox_pending(&session->out) - pending;
	return 0;
}
