/* SPDX-License-Identifier: MIT */
/* `doctor`: the files around a store. Looks with stat() only: opening and closing the database by
 * hand would drop the locks of a process. */
#include "doctor.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

static const struct {
    unsigned long magic;
    const char *name;
    const char *why;
} network[] = {
    { 0x6969, "NFS", "locks may be broken and other hosts are reached by polling only" },
    { 0xff534d42, "CIFS", "locks may be broken and other hosts are reached by polling only" },
    { 0xfe534d42, "SMB", "locks may be broken and other hosts are reached by polling only" },
    { 0x65735546, "FUSE", "locks and the bell depend on who serves it" },
    { 0x01021997, "9P", "locks may be broken and the bell may not reach across the border" },
    { 0x6a656a63, "virtiofs", "the bell may not reach across the border" },
    { 0x00c36400, "Ceph", "other hosts are reached by polling only" },
    { 0x794c7630, "overlay",
      "a file of the lower layer is copied when it is first written, and "
      "processes that opened it before are reached by polling only" },
};

static void check_file_system(struct doctor *doctor, const char *path) {
    struct statfs status;
    if (statfs(path, &status) != 0) {
        doctor_find(doctor, DOCTOR_WARNING, "file system", NULL, "cannot look at it: %s",
                    strerror(errno));
        return;
    }
    for (size_t i = 0; i < sizeof(network) / sizeof(network[0]); i++) {
        if ((unsigned long)status.f_type == network[i].magic) {
            doctor_find(doctor, DOCTOR_WARNING, "file system",
                        "move the store to a local file system, a volume rather than an image",
                        "the store is on %s: %s", network[i].name, network[i].why);
            return;
        }
    }
    if (status.f_blocks > 0 && status.f_bavail < status.f_blocks / 100)
        doctor_find(doctor, DOCTOR_WARNING, "file system", "df -h shows what fills it",
                    "less than 1 %% of its blocks are free");
    else
        doctor_find(doctor, DOCTOR_OK, "file system", NULL, "local, with room");
}

/* 1 when there is such a file and something is wrong with its mode. */
static int check_mode(struct doctor *doctor, const char *path, const char *what) {
    struct stat status;
    if (stat(path, &status) != 0)
        return 0;
    struct text next = { 0 };
    bool directory = S_ISDIR(status.st_mode);
    bool open = (status.st_mode & S_IWOTH) != 0;
    /* In a sticky directory, as /tmp, others cannot replace the file, only put theirs beside it. */
    bool sticky = directory && (status.st_mode & S_ISVTX) != 0;
    text_add(&next, "chmod o-w ");
    text_shell(&next, path, strlen(path));
    int found = 1;
    if (open && !sticky)
        doctor_find(doctor, DOCTOR_WARNING, "permissions", next.data,
                    "%s \"%s\" can be written by everybody on this host", what, path);
    else if (open)
        doctor_find(doctor, DOCTOR_NOTE, "permissions", NULL,
                    "%s \"%s\" is shared by everybody, as /tmp: fine for a trial", what, path);
    else
        found = 0;
    text_free(&next);
    return found;
}

void doctor_files(struct doctor *doctor, const char *path) {
    check_file_system(doctor, path);
    char beside[4200];
    int found = check_mode(doctor, path, "the store");
    snprintf(beside, sizeof(beside), "%s-doorbell", path);
    found += check_mode(doctor, beside, "the bell");
    snprintf(beside, sizeof(beside), "%s-journal", path);
    found += check_mode(doctor, beside, "the journal");
    snprintf(beside, sizeof(beside), "%s-metrics", path);
    found += check_mode(doctor, beside, "the metrics database");
    snprintf(beside, sizeof(beside), "%s", path);
    found += check_mode(doctor, dirname(beside), "the directory");
    struct stat status;
    if (stat(path, &status) == 0 && status.st_nlink > 1) {
        doctor_find(doctor, DOCTOR_WARNING, "permissions", "remove the other name of the file",
                    "the store has %lu hard links: processes that open it by another name use "
                    "another bell and another journal",
                    (unsigned long)status.st_nlink);
        found++;
    }
    if (found == 0)
        doctor_find(doctor, DOCTOR_OK, "permissions", NULL,
                    "nobody but owner and group may write the files");
}
