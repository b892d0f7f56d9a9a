internal import Firebreak
internal import Glibc

/// Waits for what becomes of a commit that has to be confirmed; at a terminal it asks.
struct Waiting {
  let engine: CommitEngine
  let console: Console

  private static let tick: Int32 = 200

  /// - Returns: when the commit is confirmed.
  /// - Throws: ``CommitEngine/Failure/notConfirmed`` when it was taken back.
  func run(_ commit: CommitEngine.Awaiting) throws {
    var asks = isatty(0) == 1 && isatty(2) == 1 && !console.isQuiet && !console.isJSON
    console.note(
      "the rules are in force and are taken back in \(commit.remaining.components.seconds) s unless they are confirmed")
    if asks {
      console.prompt(
        "Open a NEW connection to this machine now: an old one may live on where no new one gets in. Does it work?\n"
          + "yes keeps the rules, no takes them back: ")
    } else {
      console.note("keep them, from a connection opened now: firebreak confirm")
    }
    while true {
      switch try engine.fate(of: commit) {
      case .kept: return
      case .takenBack: throw CommitEngine.Failure.notConfirmed
      case .awaiting: break
      }
      guard asks, let answer = answer() else {
        if !asks { usleep(useconds_t(Self.tick) * 1_000) }
        continue
      }
      switch answer {
      case "yes", "y":
        for note in try engine.confirm().notes { console.note(note) }
        return
      case "no", "n":
        _ = try engine.rollback()
        throw CommitEngine.Failure.notConfirmed
      case "": asks = false  // nobody types there any more; the guard and other logins decide
      default: console.prompt("yes or no: ")
      }
    }
  }

  /// A line that was typed; nil when none was within a moment; empty where there is nobody to type any more.
  private func answer() -> String? {
    var poll = pollfd(fd: 0, events: Int16(POLLIN), revents: 0)
    guard Glibc.poll(&poll, 1, Self.tick) > 0 else { return nil }
    guard let line = readLine() else { return "" }
    return line.isEmpty ? "?" : line.lowercased()
  }
}
