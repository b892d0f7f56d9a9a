internal import Firebreak
internal import Glibc

/// What the exit status says about the kernel and about the way there.
enum ExitStatus: Int32 {
  case done = 0
  /// Failed, and the kernel is as before; for `diff`: they differ.
  case failed = 1
  case usage = 64
  case badInput = 65
  case noInput = 66
  case unsupported = 69
  case bug = 70
  case busy = 75
  case notRoot = 77
  case notConfirmed = 81
  case notVerified = 82
  /// What the kernel holds is a mixture, or cannot be told.
  case putBackFailed = 83
}

/// A failure as it is told: status, sentence, what to do about it.
struct CommandFailure: Error {
  let status: ExitStatus
  let message: String
  let hint: String?
  /// Located messages of a text that could not be read.
  var diagnostics: [Diagnostic] = []

  init(_ status: ExitStatus, _ message: String, hint: String? = nil) {
    self.status = status
    self.message = message
    self.hint = hint
  }

  /// A text with errors.
  init(badInput diagnostics: [Diagnostic]) {
    let count = diagnostics.count { $0.severity == .error }
    self.init(.badInput, count == 1 ? "one error; nothing was changed" : "\(count) errors; nothing was changed")
    self.diagnostics = diagnostics
  }

  init(_ error: any Error) {
    switch error {
    case let failure as CommandFailure: self = failure
    case let error as BackendError: self.init(error)
    case let error as CommitEngine.Failure:
      self.init(error)
    case let error as LockoutGuard.Lockout:
      self.init(
        .failed, "\(error); nothing was changed",
        hint:
          "let it in with a rule before that one, or commit with --allow-lockout; --confirm takes it back if you are cut off"
      )
    case let error as History.Failure:
      switch error {
      case .missing, .pruned: self.init(.noInput, "\(error)", hint: "`firebreak log` lists them")
      case .damaged:
        self.init(.badInput, "\(error)", hint: "`firebreak log` lists the others; `firebreak apply` makes a new one")
      }
    case let error as RulesetImage.Damaged: self.init(.badInput, "\(error); nothing was changed")
    case let error as OutputFile.Unwritable: self.init(.failed, "\(error)")
    case let error as InputFile.Unreadable: self.init(.noInput, "\(error)")
    case let error as NetworkNamespace.Unavailable: self.init(error.code == EPERM ? .notRoot : .noInput, "\(error)")
    case let error as StateDirectory.Unsafe:
      self.init(.failed, "\(error)", hint: "make it root's own with mode 0700, or name another with --state-dir")
    case let error as HookFailure: self.init(error)
    case let error as SystemError: self.init(.failed, "\(error)")
    case let error as StagingFailure: self.init(error.code == EPERM ? .notRoot : .failed, "\(error)", hint: error.hint)
    case let error as ScriptRun.Unusable: self.init(.noInput, "\(error)", hint: error.hint)
    default: self.init(.bug, "unexpected: \(error)", hint: "please report this")
    }
  }

  private init(_ error: HookFailure) {
    switch error {
    case .foreign:
      self.init(.failed, "\(error)", hint: "move it away, or put what `firebreak hook show` prints into it by hand")
    case .outside: self.init(.failed, "\(error)", hint: "run firebreak inside of it (chroot) instead of --root")
    case .noRoot: self.init(.noInput, "\(error)")
    case .unwritable: self.init(.failed, "\(error)", hint: "name another path with --program")
    case .system(_, _, let code):
      self.init(code == EACCES || code == EPERM ? .notRoot : .failed, "\(error)")
    }
  }

  private init(_ error: CommitEngine.Failure) {
    switch error {
    case .busy: self.init(.busy, "\(error)", hint: "wait longer with -w SECONDS")
    case .awaitingConfirmation:
      self.init(.busy, "\(error)", hint: "`firebreak confirm` keeps it, `firebreak rollback` takes it back now")
    case .elsewhere:
      self.init(.busy, "\(error)", hint: "give each namespace a state of its own: --state-dir DIR")
    case .overtaken: self.init(.busy, "\(error)", hint: "look at it with `firebreak diff`, and try again")
    case .notConfirmed: self.init(.notConfirmed, "\(error)")
    case .notVerified: self.init(.notVerified, "\(error)")
    case .takingBackFailed:
      self.init(
        .putBackFailed, "\(error)", hint: "look at the rules with `firebreak list`, then run `firebreak recover`")
    case .otherBackend(let name): self.init(.failed, "\(error)", hint: "leave --backend out, or say --backend \(name)")
    case .nothingToRollBack, .nothingToConfirm, .noGuard, .missingSet, .occupied, .damagedRecord:
      self.init(.failed, "\(error)")
    }
  }

  private init(_ error: BackendError) {
    let status: ExitStatus =
      switch error.kind {
      case .notPermitted: .notRoot
      case .unsupported: .unsupported
      case .busy, .stale: .busy
      case .refused: error.code == ENOENT ? .unsupported : .failed  // the kernel has no such match or target
      case .system: .failed
      case .putBackFailed, .unknown: .putBackFailed
      }
    self.init(status, "\(error)")
  }
}
