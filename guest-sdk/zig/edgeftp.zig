//! The guest SDK for Zig: it makes a struct into a policy module that an edgeftp server
//! loads. A policy that refuses uploads of executables is, as a whole:
//!
//!     const std = @import("std");
//!     const edgeftp = @import("edgeftp");
//!
//!     const Guard = struct {
//!         pub fn fs(_: *Guard, q: edgeftp.fs.Question) !edgeftp.fs.Answer {
//!             if (q.op == .write and std.mem.endsWith(u8, q.path, ".exe")) return .deny("no executables");
//!             return .pass;
//!         }
//!     };
//!
//!     comptime {
//!         edgeftp.exportPolicy(Guard);
//!     }
//!
//! in a file policy.zig, and is built with `edgeftp policy build`.
//!
//! **Hooks.** A module takes part in exactly the stages that the struct declares: see
//! exportPolicy. Each has a namespace here with its Question and its Answer. Questions are
//! read in place and answers are plain structs: nothing is allocated. What a Question
//! points to is good until the hook returns.
//!
//! **Memory is a cache.** The server runs several instances of a module, each with a value
//! of the struct of its own, closes one after a fault and replaces all at a swap. What must
//! stay goes into kv, or into state of an auth answer.
//!
//! The stack has 128 KiB: greater buffers are fields of the struct. A text that is made for an
//! answer comes from print, other memory for one question from scratch.
//!
//! **Errors and panics.** An error refuses the question that was asked and is cheap: the
//! text of edgeftp.failed, or the error's name, goes to the log. A panic costs the instance; the
//! server's error begins with its words and the hook's name. Zig on WebAssembly cannot tell where
//! a panic was: panicAt and assert take it from `@src()`, and a `test` block with the same
//! question has a trace.
//!
//! **What a policy can do** beyond looking at the question: log, kv, metric, random,
//! verify, stat, digest and fetch, each with its capability in manifest.json (ABI §8). std.log
//! writes to the server's log too.
//! There are no files, no environment and no clock but the question's time.
//!
//! **Tests.** All of this compiles natively, where exportPolicy only checks the struct: put
//! `test` blocks beside the policy and give it a testing.Host.
const guest = @import("guest.zig");
const host = @import("host.zig");
const perms = @import("perms.zig");
const net = @import("net.zig");
const rec = @import("record.zig");
const txt = @import("text.zig");

/// The numbers of the ABI by name.
pub const abi = @import("abi.zig");

/// The hooks: a Question and an Answer each.
pub const auth = @import("hooks/auth.zig");
pub const fs = @import("hooks/fs.zig");
pub const list = @import("hooks/list.zig");
pub const cmd = @import("hooks/cmd.zig");
pub const site = @import("hooks/site.zig");
pub const throttle = @import("hooks/throttle.zig");
pub const data = @import("hooks/data.zig");
pub const event = @import("hooks/event.zig");
pub const cert = @import("hooks/cert.zig");

pub const exportPolicy = guest.exportPolicy;
pub const panic = guest.panic;
pub const panicAt = guest.panicAt;
pub const assert = guest.assert;

/// What a struct of settings may hold, and Map.
pub const settings = @import("settings.zig");

pub const Hook = abi.Hook;
pub const Op = abi.Op;
pub const EventKind = abi.EventKind;
pub const Error = abi.Error;
pub const Session = rec.Session;
pub const Tls = rec.Tls;
pub const Record = rec.Record;
pub const RecordError = rec.RecordError;
pub const Perms = perms.Perms;
pub const Limits = perms.Limits;
pub const Rule = auth.Rule;
pub const Entry = list.Entry;
pub const Address = net.Address;
pub const Prefix = net.Prefix;

pub const reply = @import("reply.zig");

pub const print = txt.print;
pub const scratch = txt.scratch;
pub const failed = txt.failed;

pub const Level = host.Level;
pub const log = host.log;
pub const kv = host.kv;
pub const metric = host.metric;
pub const random = host.random;
pub const verify = host.verify;
pub const stat = host.stat;
pub const digest = host.digest;
pub const fetch = @import("fetch.zig").fetch;
pub const Request = @import("fetch.zig").Request;
pub const Response = @import("fetch.zig").Response;

/// A server for unit tests.
pub const testing = @import("testing.zig");
