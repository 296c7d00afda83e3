/* {{name}} keeps files with certain extensions off the server, whatever the users may do.
 * Memory is a cache: the server runs several instances, closes one after a fault and
 * replaces all at a swap. What must stay goes into kv or STATE, not into a variable. */
#include "edgeftp.h"

static const char *const usual[] = {"exe", "scr", "bat", "cmd", "com", "msi", "ps1", "vbs"};
static edgeftp_strings denied = {usual, sizeof usual / sizeof *usual};

EDGEFTP_CONFIG(settings) {
    denied = edgeftp_settings_strings(settings, "deny_extensions", denied);
    for (size_t i = 0; i < denied.count; i++)
        if (strspn(denied.items[i], ". ") == strlen(denied.items[i]))
            edgeftp_settings_reject(settings, "deny_extensions", "holds an empty extension");
    return NULL;
}

/* extension is the denied one that the name has, NULL if it has none. */
static const char *extension(const char *path) {
    for (size_t i = 0; i < denied.count; i++)
        if (edgeftp_has_extension(path, denied.items[i])) return denied.items[i];
    return NULL;
}

EDGEFTP_FS(q) {
    switch (q->op) {
    case EDGEFTP_OP_WRITE: case EDGEFTP_OP_APPEND: case EDGEFTP_OP_UNIQUE:
    case EDGEFTP_OP_COMMIT: case EDGEFTP_OP_RENAME: case EDGEFTP_OP_SYMLINK: break;
    default: return edgeftp_pass(); /* nothing gets a name by it */
    }
    const char *bad = extension(q->path);
    if (!bad) bad = extension(q->path2); /* the new name of a rename */
    if (!bad) return edgeftp_pass();
    edgeftp_text text = {0};
    edgeftp_text_add(&text, "files of this kind are not accepted here: ");
    edgeftp_text_add(&text, bad);
    return edgeftp_deny(text.buf);
}
