/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML in: libyaml's events become nodes. The stack of open collections is an array of
 * IOV_TREE_DEPTH_MAX frames, so the depth of the input costs no stack and stops at the event that
 * is too deep, before libyaml's own cost of nesting (quadratic) is felt. Anchors stand for finished
 * nodes only, which makes a cycle an error.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml.h>

#include "core/config/tree-private.h"

/* A collection that is open. */
struct frame {
    struct iov_node *node;
    GHashTable *keys;             /* key (owned by the tree) to its node, for mappings */
    const char *key;              /* read, its value comes next; NULL: a key comes next */
    struct iov_origin key_origin; /* of `key` */
    bool drop;                    /* the next value belongs to a key that is an error */
};

struct reader {
    struct iov_tree *tree;
    struct iov_diagnostics *diagnostics;
    const char *file; /* owned by the tree */
    yaml_parser_t parser;
    GHashTable *anchors; /* name (owned) to node */
    struct iov_node *root;
    struct frame stack[IOV_TREE_DEPTH_MAX];
    unsigned depth;
    unsigned documents;
};

static struct iov_origin at(const struct reader *reader, yaml_mark_t mark)
{
    return (struct iov_origin){ reader->file, (unsigned)mark.line + 1, (unsigned)mark.column + 1 };
}

/* A node is complete or its first event is here: it takes its place in the collection around it. */
static bool place(struct reader *reader, struct iov_node *node)
{
    if (reader->depth == 0) {
        reader->root = node;
        return true;
    }
    struct frame *frame = &reader->stack[reader->depth - 1];
    if (frame->node->kind == IOV_NODE_SEQUENCE) {
        iov_node_append(frame->node, node);
    } else if (frame->key != NULL) {
        if (!frame->drop)
            iov_node_add_new_key(reader->tree, frame->node, frame->key, frame->key_origin, node);
        frame->key = NULL;
        frame->drop = false;
    } else {
        iov_diagnostics_add(reader->diagnostics, node->origin,
                            "a key must be a single word, not %s", iov_node_kind_name(node));
        return false;
    }
    return true;
}

static bool wants_key(const struct reader *reader)
{
    const struct frame *frame = &reader->stack[reader->depth > 0 ? reader->depth - 1 : 0];

    return reader->depth > 0 && frame->node->kind == IOV_NODE_MAPPING && frame->key == NULL;
}

static void take_key(struct reader *reader, const char *key, bool plain, struct iov_origin origin)
{
    struct frame *frame = &reader->stack[reader->depth - 1];
    const struct iov_origin *first = g_hash_table_lookup(frame->keys, key);

    frame->key = iov_tree_string(reader->tree, key);
    frame->key_origin = origin;
    if (plain && strcmp(key, "<<") == 0) {
        iov_diagnostics_add(
            reader->diagnostics, origin,
            "the merge key '<<' is not supported; use 'extends: FILE' or 'include: FILE'");
        frame->drop = true;
    } else if (first != NULL) {
        iov_diagnostics_add(reader->diagnostics, origin,
                            "key '%s' is given twice; the first is in line %u", key, first->line);
        frame->drop = true;
    } else {
        g_hash_table_insert(frame->keys, g_strdup(key), g_memdup2(&origin, sizeof(origin)));
    }
}

static void remember_anchor(struct reader *reader, const yaml_char_t *anchor, struct iov_node *node)
{
    if (anchor != NULL)
        g_hash_table_insert(reader->anchors, g_strdup((const char *)anchor), node);
}

static bool tag_is_fine(struct reader *reader, const yaml_char_t *tag, struct iov_origin origin)
{
    if (tag == NULL)
        return true;
    iov_diagnostics_add(reader->diagnostics, origin, "the tag '%s' is not supported; leave it out",
                        (const char *)tag);
    return false;
}

static bool on_scalar(struct reader *reader, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    struct iov_origin origin = at(reader, event->start_mark);

    if (!tag_is_fine(reader, event->data.scalar.tag, origin))
        return false;
    if (strlen(text) != event->data.scalar.length) {
        iov_diagnostics_add(reader->diagnostics, origin, "the text contains a NUL character");
        return false;
    }
    if (wants_key(reader)) {
        take_key(reader, text, plain, origin);
        if (event->data.scalar.anchor == NULL)
            return true;
        iov_diagnostics_add(reader->diagnostics, origin, "a key cannot have an anchor");
        return false;
    }
    struct iov_node *node =
        iov_node_new(reader->tree, IOV_NODE_SCALAR, text, origin, reader->diagnostics);
    if (node == NULL)
        return false;
    node->quoted = !plain;
    remember_anchor(reader, event->data.scalar.anchor, node);
    return place(reader, node);
}

static bool on_collection(struct reader *reader, enum iov_node_kind kind, const yaml_event_t *event,
                          const yaml_char_t *anchor, const yaml_char_t *tag)
{
    struct iov_origin origin = at(reader, event->start_mark);

    if (reader->depth == IOV_TREE_DEPTH_MAX) {
        iov_diagnostics_add(reader->diagnostics, origin,
                            "lists and mappings are nested more than %d deep", IOV_TREE_DEPTH_MAX);
        return false;
    }
    if (!tag_is_fine(reader, tag, origin))
        return false;
    struct iov_node *node = iov_node_new(reader->tree, kind, NULL, origin, reader->diagnostics);
    if (node == NULL || !place(reader, node))
        return false;
    remember_anchor(reader, anchor, node);

    struct frame *frame = &reader->stack[reader->depth++];
    *frame = (struct frame){ .node = node };
    if (kind == IOV_NODE_MAPPING)
        frame->keys = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return true;
}

static void close_collection(struct reader *reader)
{
    struct frame *frame = &reader->stack[--reader->depth];

    g_clear_pointer(&frame->keys, g_hash_table_unref);
}

static bool on_alias(struct reader *reader, const yaml_event_t *event)
{
    const char *name = (const char *)event->data.alias.anchor;
    struct iov_origin origin = at(reader, event->start_mark);
    struct iov_node *meant = g_hash_table_lookup(reader->anchors, name);

    if (meant == NULL) {
        iov_diagnostics_add(reader->diagnostics, origin,
                            "alias '*%s' stands for no anchor '&%s' above", name, name);
        return false;
    }
    for (unsigned i = 0; i < reader->depth; i++) {
        if (reader->stack[i].node == meant) {
            iov_diagnostics_add(reader->diagnostics, origin,
                                "alias '*%s' stands inside '&%s': a cycle", name, name);
            return false;
        }
    }
    if (wants_key(reader)) {
        iov_diagnostics_add(reader->diagnostics, origin, "an alias cannot be a key");
        return false;
    }
    struct iov_node *copy = iov_node_copy(reader->tree, meant, reader->depth, reader->diagnostics);
    return copy != NULL && place(reader, copy);
}

static bool on_event(struct reader *reader, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (++reader->documents == 1)
            return true;
        iov_diagnostics_add(reader->diagnostics, at(reader, event->start_mark),
                            "a second document begins here; a file holds one");
        return false;
    case YAML_SCALAR_EVENT:
        return on_scalar(reader, event);
    case YAML_ALIAS_EVENT:
        return on_alias(reader, event);
    case YAML_SEQUENCE_START_EVENT:
        return on_collection(reader, IOV_NODE_SEQUENCE, event, event->data.sequence_start.anchor,
                             event->data.sequence_start.tag);
    case YAML_MAPPING_START_EVENT:
        return on_collection(reader, IOV_NODE_MAPPING, event, event->data.mapping_start.anchor,
                             event->data.mapping_start.tag);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        close_collection(reader);
        return true;
    default:
        return true;
    }
}

static void add_syntax_error(struct reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    const char *problem = parser->problem != NULL ? parser->problem : "out of memory";
    struct iov_origin origin = at(reader, parser->problem_mark);

    if (parser->context != NULL)
        iov_diagnostics_add(reader->diagnostics, origin, "%s (%s, begun in line %u)", problem,
                            parser->context, (unsigned)parser->context_mark.line + 1);
    else
        iov_diagnostics_add(reader->diagnostics, origin, "%s", problem);
}

/* Runs the events to the end of the stream; false after a mistake that leaves no structure. */
static bool read_events(struct reader *reader)
{
    bool more = true;

    while (more) {
        yaml_event_t event;
        if (!yaml_parser_parse(&reader->parser, &event)) {
            add_syntax_error(reader);
            return false;
        }
        bool fine = on_event(reader, &event);
        more = event.type != YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
        if (!fine)
            return false;
    }
    return true;
}

/* Says at which place the text stops being UTF-8. */
static bool check_utf8(struct reader *reader, const char *text, size_t length)
{
    const char *bad;
    struct iov_origin origin = { reader->file, 1, 1 };

    if (g_utf8_validate_len(text, length, &bad))
        return true;
    for (const char *p = text; p < bad; p += g_utf8_skip[(guchar)*p]) {
        origin.column = *p == '\n' ? 1 : origin.column + 1;
        origin.line += *p == '\n';
    }
    iov_diagnostics_add(reader->diagnostics, origin, "byte 0x%02x is not UTF-8 text",
                        (unsigned char)*bad);
    return false;
}

struct iov_node *iov_tree_parse(struct iov_tree *tree, const char *name, const char *text,
                                size_t length, struct iov_diagnostics *diagnostics)
{
    struct reader *reader = g_new0(struct reader, 1);
    struct iov_node *root = NULL;

    reader->tree = tree;
    reader->diagnostics = diagnostics;
    reader->file = iov_tree_string(tree, name);
    reader->anchors = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    if (length > IOV_TREE_BYTES_MAX) {
        iov_diagnostics_add(diagnostics, (struct iov_origin){ .file = name }, "larger than %d MiB",
                            IOV_TREE_BYTES_MAX / (1024 * 1024));
    } else if (check_utf8(reader, text, length) && yaml_parser_initialize(&reader->parser)) {
        yaml_parser_set_encoding(&reader->parser, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(&reader->parser, (const unsigned char *)text, length);
        if (read_events(reader))
            root = reader->root;
        if (root == NULL && reader->documents == 0 && iov_diagnostics_count(diagnostics) == 0)
            iov_diagnostics_add(diagnostics, (struct iov_origin){ reader->file, 1, 1 },
                                "empty; nothing is said here");
        yaml_parser_delete(&reader->parser);
    }
    while (reader->depth > 0)
        close_collection(reader);
    g_hash_table_unref(reader->anchors);
    g_free(reader);
    return root;
}

/* Reads at most one byte more than is allowed; 0 or an errno. */
static int read_bounded(int fd, GByteArray *bytes)
{
    struct stat status;

    if (fstat(fd, &status) != 0)
        return errno;
    if (S_ISDIR(status.st_mode))
        return EISDIR;
    while (bytes->len <= IOV_TREE_BYTES_MAX) {
        guint8 chunk[16384];
        ssize_t count = read(fd, chunk, sizeof(chunk));
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return errno;
        if (count == 0)
            break;
        g_byte_array_append(bytes, chunk, (guint)count);
    }
    return 0;
}

struct iov_node *iov_tree_parse_file(struct iov_tree *tree, const char *path,
                                     struct iov_origin from, struct iov_diagnostics *diagnostics)
{
    struct iov_node *root = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        iov_diagnostics_add(diagnostics, from, "cannot read '%s': %s", path, g_strerror(errno));
        return NULL;
    }
    GByteArray *bytes = g_byte_array_new();
    int problem = read_bounded(fd, bytes);
    close(fd);
    if (problem != 0)
        iov_diagnostics_add(diagnostics, from, "cannot read '%s': %s", path, g_strerror(problem));
    else
        root = iov_tree_parse(tree, path, bytes->len > 0 ? (const char *)bytes->data : "",
                              bytes->len, diagnostics);
    g_byte_array_unref(bytes);
    return root;
}
