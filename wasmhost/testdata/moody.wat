;; What this module does hangs on the last four letters of the path.
(module
  (import "edgeftp" "log" (func $log (param i32 i32 i32)))
  (memory (export "memory") 1 8)
  (func (export "edgeftp_abi_v1") (param i32 i64) (result i64)
    (i64.const 0x0000400000001000)) ;; 16 KiB at 4096
  (data (i32.const 64) "\01\00\ff\ffabcd") ;; reply of keys
  (data (i32.const 96) "\01\00\04\00\0d\0a\0d\0a") ;; reply of crlf
  (data (i32.const 128) "\01\00\04\00\fe\fe\fe\fe") ;; reply of utf8
  (data (i32.const 160) "\03\00\02\00/a") ;; reply of home
  (data (i32.const 192) "\07\00\08\00\00\00\00\00\00\00\00\00") ;; reply of quot
  (data (i32.const 224) "\00\04\01\00x") ;; reply of next
  (data (i32.const 256) "\01\00\02\00no") ;; reply of deny
  (data (i32.const 288) "\01\00\04\00oops") ;; reply of fail
  (data (i32.const 320) "\02\00\02\00/x") ;; reply of move
  (func $deep (param i32) (result i64)
    (i64.add (call $deep (i32.add (local.get 0) (i32.const 1))) (i64.const 1)))
  (func (export "edgeftp_fs") (param $len i32) (result i64)
    (local $end i32) (local $word i32)
    ;; the last four bytes of PATH (span 1) choose what happens
    (local.set $end (i32.add (i32.load (i32.const 4160)) (i32.load (i32.const 4164))))
    (local.set $word (i32.load offset=4092 (local.get $end)))
    ;; trap: traps
    (if (i32.eq (local.get $word) (i32.const 0x70617274))
      (then (unreachable)))
    ;; loop: loops for ever
    (if (i32.eq (local.get $word) (i32.const 0x706f6f6c))
      (then (loop $forever (br $forever))))
    ;; deep: recurses until the stack is full
    (if (i32.eq (local.get $word) (i32.const 0x70656564))
      (then (return (call $deep (local.get $len)))))
    ;; grow: takes all memory that it can get, then passes
    (if (i32.eq (local.get $word) (i32.const 0x776f7267))
      (then (block $full (loop $more (br_if $full (i32.eq (memory.grow (i32.const 1)) (i32.const -1))) (br $more)))))
    ;; junk: returns no verdict
    (if (i32.eq (local.get $word) (i32.const 0x6b6e756a))
      (then (return (i64.const -1))))
    ;; code: denies with the code 100
    (if (i32.eq (local.get $word) (i32.const 0x65646f63))
      (then (return (i64.const 0x20064))))
    ;; long: says that the reply is longer than the mailbox
    (if (i32.eq (local.get $word) (i32.const 0x676e6f6c))
      (then (return (i64.const 0x0000400100020000))))
    ;; huge: says that the reply has 2 GiB
    (if (i32.eq (local.get $word) (i32.const 0x65677568))
      (then (return (i64.const 0x7fffffff00020000))))
    ;; keys: replies with an entry longer than the reply
    (if (i32.eq (local.get $word) (i32.const 0x7379656b))
      (then
        (memory.copy (i32.const 4096) (i32.const 64) (i32.const 8))
        (return (i64.const 0x0000000800020000))))
    ;; crlf: replies with line ends in TEXT
    (if (i32.eq (local.get $word) (i32.const 0x666c7263))
      (then
        (memory.copy (i32.const 4096) (i32.const 96) (i32.const 8))
        (return (i64.const 0x0000000800020000))))
    ;; utf8: replies with bytes that are not UTF-8
    (if (i32.eq (local.get $word) (i32.const 0x38667475))
      (then
        (memory.copy (i32.const 4096) (i32.const 128) (i32.const 8))
        (return (i64.const 0x0000000800020000))))
    ;; home: replies with a key that only auth takes
    (if (i32.eq (local.get $word) (i32.const 0x656d6f68))
      (then
        (memory.copy (i32.const 4096) (i32.const 160) (i32.const 6))
        (return (i64.const 0x0000000600010000))))
    ;; quot: replies with a key that the server cannot honour
    (if (i32.eq (local.get $word) (i32.const 0x746f7571))
      (then
        (memory.copy (i32.const 4096) (i32.const 192) (i32.const 12))
        (return (i64.const 0x0000000c00010000))))
    ;; next: replies with a key of a later minor
    (if (i32.eq (local.get $word) (i32.const 0x7478656e))
      (then
        (memory.copy (i32.const 4096) (i32.const 224) (i32.const 5))
        (return (i64.const 0x0000000500010000))))
    ;; logs: logs bytes outside its memory
    (if (i32.eq (local.get $word) (i32.const 0x73676f6c))
      (then (call $log (i32.const 1) (i32.const 65530) (i32.const 100))))
    ;; deny: denies with 553 and the text "no"
    (if (i32.eq (local.get $word) (i32.const 0x796e6564))
      (then
        (memory.copy (i32.const 4096) (i32.const 256) (i32.const 6))
        (return (i64.const 0x0000000600020229))))
    ;; fail: says that it could not decide
    (if (i32.eq (local.get $word) (i32.const 0x6c696166))
      (then
        (memory.copy (i32.const 4096) (i32.const 288) (i32.const 8))
        (return (i64.const 0x0000000800050000))))
    ;; hide: hides
    (if (i32.eq (local.get $word) (i32.const 0x65646968))
      (then (return (i64.const 0x40000))))
    ;; move: rewrites to /x
    (if (i32.eq (local.get $word) (i32.const 0x65766f6d))
      (then
        (memory.copy (i32.const 4096) (i32.const 320) (i32.const 6))
        (return (i64.const 0x0000000600030000))))
    (i64.const 0))
)
