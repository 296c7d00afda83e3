;; Writes to standard error and leaves.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1 8)
  (func (export "edgeftp_abi_v1") (param i32 i64) (result i64)
    (i64.const 0x0000400000001000)) ;; 16 KiB at 4096
  (data (i32.const 64) "\10\00\00\00\0b\00\00\00")
  (data (i32.const 16) "boom\1b[31m\n!")
  (func (export "edgeftp_fs") (param i32) (result i64)
    (drop (call $write (i32.const 2) (i32.const 64) (i32.const 1) (i32.const 80)))
    (call $exit (i32.const 3))
    (i64.const 0))
)
