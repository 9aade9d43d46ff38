// A CUDA driver for machines without one: it keeps what it is told and runs nothing.
//
// An "image" is text: `stub <architecture>`, then a line `<symbol> <size> <size> …` for each kernel
// with the sizes of its parameters, bytes. A launch is kept with its parameters, read as a driver
// reads them; `stub_*` are the test's side.

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kParameters = 32, kBytes = 512, kLaunches = 64 };

typedef struct {
    char symbol[256];
    int sizes[kParameters];
    int parameters;
    int dynamic_shared;
} Function;

typedef struct {
    Function functions[8];
    int count;
} Module;

typedef struct {
    unsigned id;
    char padding[4];
    union { int on; unsigned size[3]; char bytes[64]; } value;
} Attribute;

typedef struct {
    unsigned grid[3], block[3], shared;
    void *stream;
    Attribute *attributes;
    unsigned attribute_count;
} Config;

typedef struct {
    char symbol[256];
    unsigned grid[3], block[3], shared;
    unsigned cluster[3];
    int programmatic;
    uint64_t stream;
    int dynamic_shared;
    int bytes;
    unsigned char data[kBytes];
} Launch;

static Launch launches[kLaunches];
static int launch_count, module_count, next_load_status, next_launch_status, threads_per_block = 1024;
static int capability_major = 9, capability_minor = 0;
static char last_image[256];
static __thread void *current_context;

int stub_launches(void) { return launch_count; }
int stub_modules(void) { return module_count; }
const char *stub_image(void) { return last_image; }
const Launch *stub_launch(int n) { return &launches[n % kLaunches]; }
void stub_fail_load(int status) { next_load_status = status; }
void stub_fail_launch(int status) { next_launch_status = status; }
void stub_capability(int major, int minor) { capability_major = major; capability_minor = minor; }
void stub_threads_per_block(int threads) { threads_per_block = threads; }
void stub_forget_context(void) { current_context = NULL; }
void stub_reset(void) {
    launch_count = module_count = next_load_status = next_launch_status = 0;
    threads_per_block = 1024;
    capability_major = 9;
    capability_minor = 0;
    last_image[0] = 0;
}

int cuInit(unsigned flags) { return flags; }
int cuDeviceGet(int *device, int ordinal) { *device = ordinal; return 0; }
int cuDeviceGetAttribute(int *value, int attribute, int device) {
    (void)device;
    switch (attribute) {
    case 1: *value = 1024; return 0;
    case 75: *value = capability_major; return 0;
    case 76: *value = capability_minor; return 0;
    case 97: *value = 232448; return 0;
    case 120: *value = capability_major >= 9; return 0;
    default: return 1;
    }
}
int cuDevicePrimaryCtxRetain(void **context, int device) {
    (void)device;
    *context = &launches;
    return 0;
}
int cuCtxSetCurrent(void *context) { current_context = context; return 0; }
int cuThreadExchangeStreamCaptureMode(int *mode) { *mode = *mode == 2 ? 0 : 2; return 0; }

int cuModuleLoadDataEx(Module **module, const char *image, unsigned count, int *options, void **values) {
    (void)count;
    (void)options;
    if (current_context == NULL) return 201;
    if (next_load_status) {
        int status = next_load_status;
        next_load_status = 0;
        snprintf(values[0], 64, "the stub was told to fail");
        return status;
    }
    Module *loaded = calloc(1, sizeof(Module));
    char *copy = strdup(image), *rest = copy;
    char *line = strtok_r(rest, "\n", &rest);
    if (line == NULL || strncmp(line, "stub ", 5) != 0) return 200;
    snprintf(last_image, sizeof last_image, "%s", line + 5);
    while ((line = strtok_r(rest, "\n", &rest)) != NULL && loaded->count < 8) {
        Function *function = &loaded->functions[loaded->count++];
        char *words = line, *word = strtok_r(words, " ", &words);
        snprintf(function->symbol, sizeof function->symbol, "%s", word);
        while ((word = strtok_r(words, " ", &words)) != NULL)
            function->sizes[function->parameters++] = atoi(word);
    }
    free(copy);
    *module = loaded;
    module_count++;
    return 0;
}
int cuModuleGetFunction(Function **function, Module *module, const char *symbol) {
    for (int n = 0; n < module->count; n++)
        if (strcmp(module->functions[n].symbol, symbol) == 0) {
            *function = &module->functions[n];
            return 0;
        }
    return 500;
}
int cuFuncGetAttribute(int *value, int attribute, Function *function) {
    (void)function;
    *value = threads_per_block;
    return attribute == 0 ? 0 : 1;
}
int cuFuncSetAttribute(Function *function, int attribute, int value) {
    if (attribute != 8) return 1;
    function->dynamic_shared = value;
    return 0;
}
int cuGetErrorName(int status, const char **text) { *text = status == 700 ? "CUDA_ERROR_ILLEGAL_ADDRESS" : "CUDA_ERROR_STUB"; return 0; }
int cuGetErrorString(int status, const char **text) { *text = status == 700 ? "an illegal memory access" : "a stub's error"; return 0; }

int cuLaunchKernelEx(const Config *config, Function *function, void **parameters, void **extra) {
    if (extra != NULL) return 1;
    if (current_context == NULL) return 201;
    if (next_launch_status) {
        int status = next_launch_status;
        next_launch_status = 0;
        return status;
    }
    if (config->shared > 48 * 1024 && (int)config->shared > function->dynamic_shared) return 1;
    Launch *launch = &launches[launch_count % kLaunches];
    memset(launch, 0, sizeof *launch);
    strcpy(launch->symbol, function->symbol);
    memcpy(launch->grid, config->grid, sizeof launch->grid);
    memcpy(launch->block, config->block, sizeof launch->block);
    launch->shared = config->shared;
    launch->stream = (uint64_t)config->stream;
    launch->dynamic_shared = function->dynamic_shared;
    for (unsigned n = 0; n < config->attribute_count; n++) {
        const Attribute *attribute = &config->attributes[n];
        if (attribute->id == 4) memcpy(launch->cluster, attribute->value.size, sizeof launch->cluster);
        else if (attribute->id == 6) launch->programmatic = attribute->value.on;
        else return 1;
    }
    for (int n = 0; n < function->parameters; n++) {
        memcpy(launch->data + launch->bytes, parameters[n], function->sizes[n]);
        launch->bytes += function->sizes[n];
    }
    launch_count++;
    return 0;
}
