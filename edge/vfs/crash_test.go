package vfs_test

const childVariable = "EDGEFTP_VFS_TEST_CHILD"

func childMain() {}
