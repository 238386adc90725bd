/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML out: a resolved tree as block YAML through libyaml's emitter. Quotes are kept where they
 * were and used where the text needs them, so what is written reads back as an equal tree.
 */
#include <string.h>
#include <yaml.h>

#include "core/config/tree.h"

static int collect(void *data, unsigned char *bytes, size_t length)
{
    g_string_append_len(data, (const char *)bytes, (gssize)length);
    return 1;
}

/* `${` begins a parameter when the text is read again. */
static char *escape_parameters(const char *text)
{
    GString *escaped = g_string_new(text);

    g_string_replace(escaped, "${", "$${", 0);
    return g_string_free(escaped, FALSE);
}

static bool has_control(const char *text)
{
    for (; *text != '\0'; text += g_utf8_skip[(guchar)*text]) {
        gunichar c = g_utf8_get_char(text);
        if (!g_unichar_isprint(c))
            return true;
    }
    return false;
}

static void emit(yaml_emitter_t *emitter, yaml_event_t *event)
{
    int fine = yaml_emitter_emit(emitter, event);

    g_assert(fine); /* the events come from a well-formed tree and the sink cannot fail */
}

static void emit_text(yaml_emitter_t *emitter, const char *text, bool quoted)
{
    yaml_event_t event;
    yaml_scalar_style_t style = YAML_PLAIN_SCALAR_STYLE;

    if (has_control(text) || quoted || strcmp(text, "<<") == 0)
        style = YAML_DOUBLE_QUOTED_SCALAR_STYLE;
    yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text, (int)strlen(text),
                                 1, 1, style);
    emit(emitter, &event);
}

static void emit_value(yaml_emitter_t *emitter, const struct iov_node *scalar)
{
    char *escaped = escape_parameters(scalar->text);

    emit_text(emitter, escaped, scalar->quoted);
    g_free(escaped);
}

static void emit_node(yaml_emitter_t *emitter, const struct iov_node *node)
{
    yaml_event_t event;

    switch (node->kind) {
    case IOV_NODE_SCALAR:
        emit_value(emitter, node);
        return;
    case IOV_NODE_SEQUENCE:
        yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_SEQUENCE_STYLE);
        emit(emitter, &event);
        for (const struct iov_node *child = node->children; child != NULL; child = child->next)
            emit_node(emitter, child);
        yaml_sequence_end_event_initialize(&event);
        break;
    case IOV_NODE_MAPPING:
        yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE);
        emit(emitter, &event);
        for (const struct iov_node *child = node->children; child != NULL; child = child->next) {
            emit_text(emitter, child->key, false);
            emit_node(emitter, child);
        }
        yaml_mapping_end_event_initialize(&event);
        break;
    }
    emit(emitter, &event);
}

char *iov_tree_write(const struct iov_node *root)
{
    yaml_emitter_t emitter;
    yaml_event_t event;
    GString *text = g_string_new(NULL);

    yaml_emitter_initialize(&emitter);
    yaml_emitter_set_output(&emitter, collect, text);
    yaml_emitter_set_unicode(&emitter, 1);
    yaml_emitter_set_width(&emitter, -1);
    yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING);
    emit(&emitter, &event);
    yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1);
    emit(&emitter, &event);
    emit_node(&emitter, root);
    yaml_document_end_event_initialize(&event, 1);
    emit(&emitter, &event);
    yaml_stream_end_event_initialize(&event);
    emit(&emitter, &event);
    yaml_emitter_delete(&emitter);
    return g_string_free(text, FALSE);
}
