/* SPDX-License-Identifier: Apache-2.0 */
/* Kinds by name: the type system's own tree of IovModel is the registry; plug-ins add to it through
 * GTypeModule. */
#include "core/object/model.h"

#include <gmodule.h>
#include <string.h>

#include "core/object/registry-private.h"

/* Makes the built-in types known; cheap when they are. */
static void register_builtin(void)
{
    for (unsigned i = 0; iov_builtin_kinds[i] != NULL; i++)
        iov_builtin_kinds[i]();
}

static const struct iov_model_info *type_info(GType type)
{
    return IOV_MODEL_CLASS(g_type_class_ref(type))
        ->info; /* classes are static: the reference is kept on purpose */
}

/* Calls `visit` for every kind below `type`; stops and returns the type for which it returned
 * true. */
static GType walk(GType type,
                  bool (*visit)(GType type, const struct iov_model_info *info, void *context),
                  void *context)
{
    unsigned count;
    g_autofree GType *children = g_type_children(type, &count);

    for (unsigned i = 0; i < count; i++) {
        const struct iov_model_info *info = type_info(children[i]);
        GType found;

        if (info->kind != NULL && visit(children[i], info, context))
            return children[i];
        found = walk(children[i], visit, context);
        if (found != G_TYPE_INVALID)
            return found;
    }
    return G_TYPE_INVALID;
}

static bool has_name(GType type G_GNUC_UNUSED, const struct iov_model_info *info, void *name)
{
    return strcmp(info->kind, name) == 0;
}

GType iov_kind_find(const char *kind)
{
    register_builtin();
    return walk(IOV_TYPE_MODEL, has_name, (void *)(uintptr_t)kind);
}

static bool collect(GType type, const struct iov_model_info *info, void *names)
{
    if (!G_TYPE_IS_ABSTRACT(type))
        g_ptr_array_add(names, g_strdup(info->kind));
    return false;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

char **iov_kind_list(void)
{
    GPtrArray *names = g_ptr_array_new();

    register_builtin();
    walk(IOV_TYPE_MODEL, collect, names);
    g_ptr_array_sort(names, compare_names);
    g_ptr_array_add(names, NULL);
    return (char **)g_ptr_array_free(names, FALSE);
}

const struct iov_model_info *iov_kind_info(const char *kind)
{
    GType type = iov_kind_find(kind);

    return type != G_TYPE_INVALID ? type_info(type) : NULL;
}

/* ---- Plug-ins ---- */

G_DECLARE_FINAL_TYPE(IovPluginModule, iov_plugin_module, IOV, PLUGIN_MODULE, GTypeModule)

struct _IovPluginModule {
    GTypeModule parent_instance;
    char *file;
    GModule *module;
};

G_DEFINE_FINAL_TYPE(IovPluginModule, iov_plugin_module, G_TYPE_TYPE_MODULE)

typedef bool plugin_init_fn(GTypeModule *module);

static gboolean plugin_load(GTypeModule *type_module)
{
    IovPluginModule *self = (IovPluginModule *)type_module;
    gpointer symbol;

    self->module = g_module_open(self->file, G_MODULE_BIND_LOCAL);
    if (self->module == NULL)
        return FALSE;
    g_module_make_resident(self->module); /* types cannot be unregistered */
    if (!g_module_symbol(self->module, "iov_plugin_init", &symbol))
        return FALSE;
    return ((plugin_init_fn *)symbol)(type_module);
}

static void plugin_finalize(GObject *object)
{
    g_free(((IovPluginModule *)(void *)object)->file);
    G_OBJECT_CLASS(iov_plugin_module_parent_class)->finalize(object);
}

static void iov_plugin_module_class_init(IovPluginModuleClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = plugin_finalize;
    G_TYPE_MODULE_CLASS(klass)->load = plugin_load;
}

static void iov_plugin_module_init(IovPluginModule *self)
{
    (void)self;
}

static bool load_one(const char *file, GError **error)
{
    /* Lives for ever, as its types do. */
    IovPluginModule *plugin = g_object_new(iov_plugin_module_get_type(), NULL);

    plugin->file = g_strdup(file);
    if (g_type_module_use(G_TYPE_MODULE(plugin)))
        return true;
    g_set_error(error, IOV_ERROR, IOV_ERROR_FILE, "plug-in %s: %s", file,
                plugin->module == NULL ? g_module_error() : "iov_plugin_init is missing or failed");
    if (plugin->parent_instance.type_infos == NULL) /* else it must live as long as its types */
        g_object_unref(plugin);
    return false;
}

static bool load_folder(const char *folder, GError **error)
{
    g_autoptr(GPtrArray) files = g_ptr_array_new_with_free_func(g_free);
    GDir *dir = g_dir_open(folder, 0, NULL);
    const char *name;

    if (dir == NULL) {
        g_set_error(error, IOV_ERROR, IOV_ERROR_FILE, "plug-in folder %s cannot be read", folder);
        return false;
    }
    while ((name = g_dir_read_name(dir)) != NULL) {
        if (g_str_has_suffix(name, ".so"))
            g_ptr_array_add(files, g_build_filename(folder, name, NULL));
    }
    g_dir_close(dir);
    g_ptr_array_sort(files, compare_names); /* the order of a folder is not ours to rely on */
    for (unsigned i = 0; i < files->len; i++) {
        if (!load_one(g_ptr_array_index(files, i), error))
            return false;
    }
    return true;
}

bool iov_plugins_load(const char *search_path, GError **error)
{
    g_auto(GStrv) folders = search_path != NULL ? g_strsplit(search_path, ":", -1) : NULL;

    register_builtin();
    for (unsigned i = 0; folders != NULL && folders[i] != NULL; i++) {
        if (folders[i][0] != '\0' && !load_folder(folders[i], error))
            return false;
    }
    return true;
}
