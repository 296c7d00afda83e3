;; {{name}} keeps programs off the server: names that end with .exe, in capitals or not.
;; manifest.json says which operations it is asked about. The numbers are of ABI.md.
(module
  (memory (export "memory") 1)
  ;; The reply: key 1 (TEXT), length 40, 40 bytes.
  (data (i32.const 64) "\01\00\28\00files of this kind are not accepted here")
  (func (export "edgeftp_abi_v1") (param $minor i32) (param $features i64) (result i64)
    (i64.const 0x00008000_00001000)) ;; the mailbox: 32,768 bytes at 4,096
  ;; Whether the path of a span ends with .exe: its last four bytes, in lower case.
  (func $program (param $span i32) (result i32)
    (i32.eq (i32.const 0x6578652e) (i32.or (i32.const 0x20202000)
      (i32.load offset=4092 ;; 4 before the mailbox + offset + length
        (i32.add (i32.load (local.get $span)) (i32.load offset=4 (local.get $span)))))))
  (func (export "edgeftp_fs") (param $len i32) (result i64)
    ;; The spans 1 (PATH) and 2 (ARG) of the record: a rename has two paths.
    (if (i32.or (call $program (i32.const 4160)) (call $program (i32.const 4168))) (then
      (memory.copy (i32.const 4096) (i32.const 64) (i32.const 44))
      (return (i64.const 0x0000002c_00020000)))) ;; 44 bytes of reply, deny
    (i64.const 0))) ;; no opinion
