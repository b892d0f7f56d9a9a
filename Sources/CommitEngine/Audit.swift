internal import Glibc
internal import Netfilter
internal import RuleStore

/// One line of JSON for everything that changed the rules or decided about a change: in `audit.jsonl` of the state directory,
/// and to the system's log (syslog(3), facility authpriv), where journald or a syslog daemon listens. What cannot be
/// written is left out: the kernel's rules do not wait for it.
struct Audit {
  let state: StateDirectory

  static let file = "audit.jsonl"

  enum Event: String {
    case commit
    case rollback
    /// Carried out, and taken back unless it is confirmed.
    case awaiting
    case confirmation
    case takenBack = "taken back"
    /// A generation was loaded at the start of the machine.
    case start
    case recovery
  }

  /// - Parameter changes: what changed beside the tables.
  func note(_ event: Event, _ generation: Generation.Summary, beside changes: [CompanionChange] = []) {
    var members: [(String, JSON)] = [
      ("generation", .number(generation.number)), ("backend", .string(generation.backend)),
      ("message", .string(generation.message)),
      ("tables", .array(generation.tables.map { .string("\($0)") })),
      ("added", .number(generation.added)), ("removed", .number(generation.removed)),
    ]
    if !changes.isEmpty { members.append(("beside", .array(changes.map { .string("\($0.companion)") }))) }
    write(event, generation.author, members)
  }

  /// Whether there is a line of a generation that was declared good. A command may die between the one and the other.
  func holds(_ generation: Generation.Summary) throws(SystemError) -> Bool {
    guard let bytes = try state.read(Self.file) else { return false }
    let number = "\"generation\":\(generation.number),"
    let events = [Event.commit, .rollback, .confirmation, .recovery].map { "\"event\":\"\($0.rawValue)\"" }
    return String(decoding: bytes.suffix(Self.recent), as: UTF8.self).split(separator: "\n").contains { line in
      line.contains(number) && events.contains { line.contains($0) }
    }
  }

  /// How much of the end is looked at for what has just happened, in bytes.
  private static let recent = 256 << 10

  /// - Parameter number: that the generation would have had.
  func note(_ event: Event, number: Int, reason: String) {
    write(event, .current, [("generation", .number(number)), ("reason", .string(reason))])
  }

  func note(_ recovery: CommitEngine.Recovery) {
    let what: String
    var tables: [TableID] = []
    switch recovery {
    case .nothingDone, .completed: return  // the generation that came of it has its own line
    case .guardedAgain: what = "the guard of a commit was gone; another one watches"
    case .putBack(let these): (what, tables) = ("an interrupted commit was put back", these)
    case .notConfirmed(let these): (what, tables) = ("a commit that nobody confirmed was taken back", these)
    }
    write(.recovery, .current, [("reason", .string(what)), ("tables", .array(tables.map { .string("\($0)") }))])
  }

  private func write(_ event: Event, _ author: Author, _ members: [(String, JSON)]) {
    var who: [(String, JSON)] = [("user", .number(Int(author.user)))]
    if let login = author.login { who.append(("login", .number(Int(login)))) }
    if let sudo = author.sudo { who.append(("sudo", .string(sudo))) }
    let line = JSON.object(
      [
        ("time", .string(Timestamp.text(Int64(time(nil))))), ("event", .string(event.rawValue)),
        ("author", .object(who)),
      ] + members
    ).text
    try? state.append(line, to: Self.file)
    line.withCString { line in withVaList([line]) { vsyslog(Int32(LOG_AUTHPRIV) | LOG_NOTICE, "firebreak: %s", $0) } }
  }
}

/// Moments as people and programs read them.
package enum Timestamp {
  /// `2026-01-31T12:00:00Z` (RFC 3339).
  package static func text(_ seconds: Int64) -> String {
    var seconds = time_t(seconds)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
    return "\(1900 + parts.tm_year)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
      + "T\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))Z"
  }
}
