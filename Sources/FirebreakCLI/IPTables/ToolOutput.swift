internal import Firebreak
internal import Glibc

/// Why a tool ends, in the form in which iptables says it.
struct ToolFailure: Error {
  let status: ToolStatus
  /// What stands before the message.
  let prefix: Prefix
  let message: String
  var hint: String?
  /// The line of restore text it is about.
  var line: Int?

  enum Prefix {
    /// `iptables v1.8.9 (legacy): `
    case version
    /// `iptables: `
    case name
    case none
  }

  init(_ status: ToolStatus, _ prefix: Prefix, _ message: String, hint: String? = nil, line: Int? = nil) {
    (self.status, self.prefix, self.message, self.hint, self.line) = (status, prefix, message, hint, line)
  }

  /// Words that cannot be read.
  /// - Parameter tool: whose part of the kernel would have refused it, where that is why.
  init(_ error: SyntaxError, line: Int? = nil, _ tool: Tool) {
    switch error.unknownExtension {
    case .match(let name):
      self.init(.usage, .version, "Couldn't load match `\(name)':No such file or directory", hint: error.hint)
    case .target(let name):
      self.init(.usage, .version, "Couldn't load target `\(name)':No such file or directory", hint: error.hint)
    case nil where error.isKernels:
      switch tool.interface {
      case .ipTables: self.init(.failed, .name, "Invalid argument: \(error.message)", hint: error.hint)
      case .nfTables:
        self.init(.busy, .version, "RULE_APPEND failed (Invalid argument): \(error.message)", hint: error.hint)
      }
    case nil: self.init(.usage, .version, error.message, hint: error.hint)
    }
    self.line = line
  }

  /// A refusal of libiptc or the kernel.
  /// - Parameter objection: why, where it could be foreseen.
  init(_ refusal: CommandRefusal, because objection: SyntaxError? = nil) {
    let more = refusal.code == EINVAL ? " Run `dmesg' for more information." : ""
    let hint = objection.map { [$0.message, $0.hint].compactMap(\.self).joined(separator: "; ") } ?? refusal.hint
    switch refusal.source {
    case .command: break
    case .transaction, .form:
      self.init(refusal.source == .form ? .usage : .busy, .version, refusal.reason, hint: hint)
      return
    }
    self.init(refusal.code == EAGAIN ? .busy : .failed, .name, "\(refusal.reason).\(more)", hint: hint)
  }

  /// The lock that could not be had.
  init(lock error: BackendError) {
    switch error.kind {
    case .busy:
      self.init(
        .busy, .none, "Another app is currently holding the xtables lock. \(error.message)",
        hint: "wait longer with -w SECONDS, or without end with -w alone")
    default: self.init(.busy, .none, "Fatal: \(error.message)")
    }
  }

  /// The table of nf_tables that could not be read.
  init(reading error: BackendError) {
    let status: ToolStatus =
      switch error.kind {
      case .notPermitted, .busy, .stale: .busy
      case .unsupported: .noTable
      default: .failed
      }
    let message = error.kind == .notPermitted ? "Permission denied (you must be root)" : error.message
    self.init(status, .version, message, hint: error.hint)
  }

  /// The table that could not be opened.
  init(opening table: String, _ tool: Tool, _ refusal: CommandRefusal) {
    self.init(
      .noTable, .version, "can't initialize \(tool.family.toolName) table `\(table)': \(refusal.reason)",
      hint: "Perhaps \(tool.family.toolName) or your kernel needs to be upgraded.")
  }
}

/// Results on standard output, all else on standard error.
struct ToolOutput {
  private let tool: Tool
  private var pending = TextWriter()

  init(_ tool: Tool) { self.tool = tool }

  mutating func print(_ text: String) { pending.write(text) }
  mutating func print(bytes: [UInt8]) { pending.write(bytes) }

  mutating func flush() {
    writeAll(1, pending.bytes)
    pending.removeAll()
  }

  /// A line on standard error.
  mutating func complain(_ line: String) {
    flush()
    writeAll(2, Array((line + "\n").utf8))
  }

  mutating func report(_ failure: ToolFailure) {
    switch failure.prefix {
    case .version: complain("\(tool.versionLine): \(failure.message)")
    case .name: complain("\(tool.name): \(failure.message)")
    case .none: complain(failure.message)
    }
    if let hint = failure.hint { complain("    \(hint)") }
    guard failure.status == .usage else { return }
    if let line = failure.line { complain("Error occurred at line: \(line)") }
    complain("Try `\(tool.name) -h' or '\(tool.name) --help' for more information.")
  }
}
