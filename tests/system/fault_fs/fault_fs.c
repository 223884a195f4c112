// SPDX-License-Identifier: Apache-2.0
//
// A file system with one file, which fails as it is told: a disk for the store that counts every
// fault it injects.
//
// usage: fault_fs BACKING MOUNTPOINT STATS KIND EVERY
//   BACKING  the file whose bytes it has
//   STATS    a file that says at the end how often it did what
//   KIND     read-eio, write-eio, write-enospc, read-short, write-short, late; or none
//   EVERY    one request in so many, of those that KIND speaks of
//
// The mounted file is MOUNTPOINT/swap. One thread: what is late holds up the rest, as a disk does.
#define FUSE_USE_VERSION 31
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char name[] = "/swap";
static const int lateness_ms = 200;

static int backing;
static const char *stats_path;
static const char *kind;
static unsigned long every;

static unsigned long reads, writes, injected;
static unsigned long since_fault; // requests of the kind that fails

static int is_file(const char *path) { return strcmp(path, name) == 0; }

// Whether this request is to fail.
static int fails(const char *operation)
{
    if (strncmp(kind, operation, strlen(operation)) != 0 || ++since_fault < every) return 0;
    since_fault = 0;
    ++injected;
    return 1;
}

static int fs_getattr(const char *path, struct stat *status, struct fuse_file_info *info)
{
    (void)info;
    memset(status, 0, sizeof *status);
    if (strcmp(path, "/") == 0) {
        status->st_mode = S_IFDIR | 0755;
        status->st_nlink = 2;
        return 0;
    }
    if (!is_file(path)) return -ENOENT;
    return fstat(backing, status) == 0 ? 0 : -errno;
}

static int fs_readdir(const char *path, void *buffer, fuse_fill_dir_t fill, off_t offset,
                      struct fuse_file_info *info, enum fuse_readdir_flags flags)
{
    (void)path, (void)offset, (void)info, (void)flags;
    fill(buffer, name + 1, NULL, 0, 0);
    return 0;
}

static int fs_open(const char *path, struct fuse_file_info *info)
{
    info->direct_io = 1;
    return is_file(path) ? 0 : -ENOENT;
}

static int fs_chmod(const char *path, mode_t mode, struct fuse_file_info *info)
{
    (void)path, (void)mode, (void)info;
    return 0;
}

static int fs_truncate(const char *path, off_t size, struct fuse_file_info *info)
{
    (void)path, (void)info;
    return ftruncate(backing, size) == 0 ? 0 : -errno;
}

static int fs_fallocate(const char *path, int mode, off_t offset, off_t length,
                        struct fuse_file_info *info)
{
    (void)path, (void)info;
    return fallocate(backing, mode, offset, length) == 0 ? 0 : -errno;
}

static int fs_read(const char *path, char *buffer, size_t size, off_t offset,
                   struct fuse_file_info *info)
{
    (void)path, (void)info;
    ++reads;
    if (fails("read")) {
        if (strcmp(kind, "read-eio") == 0) return -EIO;
        size = size / 2 & ~(size_t)4095;
    } else if (fails("late")) {
        poll(NULL, 0, lateness_ms);
    }
    const ssize_t done = pread(backing, buffer, size, offset);
    return done < 0 ? -errno : (int)done;
}

static int fs_write(const char *path, const char *data, size_t size, off_t offset,
                    struct fuse_file_info *info)
{
    (void)path, (void)info;
    ++writes;
    if (fails("write")) {
        if (strcmp(kind, "write-eio") == 0) return -EIO;
        if (strcmp(kind, "write-enospc") == 0) return -ENOSPC;
        size = size / 2 & ~(size_t)4095;
    } else if (fails("late")) {
        poll(NULL, 0, lateness_ms);
    }
    const ssize_t done = pwrite(backing, data, size, offset);
    return done < 0 ? -errno : (int)done;
}

static void fs_destroy(void *data)
{
    (void)data;
    FILE *stats = fopen(stats_path, "w");
    if (!stats) return;
    fprintf(stats, "{\"reads\": %lu, \"writes\": %lu, \"injected\": %lu}\n", reads, writes,
            injected);
    fclose(stats);
}

static const struct fuse_operations operations = {
    .getattr = fs_getattr,
    .readdir = fs_readdir,
    .open = fs_open,
    .chmod = fs_chmod,
    .truncate = fs_truncate,
    .fallocate = fs_fallocate,
    .read = fs_read,
    .write = fs_write,
    .destroy = fs_destroy,
};

int main(int count, char **arguments)
{
    if (count != 6) {
        fprintf(stderr, "usage: fault_fs BACKING MOUNTPOINT STATS KIND EVERY\n");
        return 2;
    }
    backing = open(arguments[1], O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (backing < 0) {
        perror(arguments[1]);
        return 1;
    }
    stats_path = arguments[3];
    kind = arguments[4];
    every = strtoul(arguments[5], NULL, 10);
    char *own[] = {arguments[0], arguments[2], "-f", "-s", NULL};
    return fuse_main(4, own, &operations, NULL);
}
