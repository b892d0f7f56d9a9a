internal import Firebreak
internal import Glibc

/// `iptables-restore` and `ip6tables-restore`: text of iptables-save, table by table. A table is committed at its COMMIT
/// line, so an error leaves the tables before it committed; `firebreak apply` is all or nothing.
struct IPTablesRestore {
  private let tool: Tool

  init(_ tool: Tool) { self.tool = tool }

  private static let options: [Getopt.Option] = [
    .init(letter: "b", name: "binary", value: .none), .init(letter: "c", name: "counters", value: .none),
    .init(letter: "v", name: "verbose", value: .none), .init(letter: "V", name: "version", value: .none),
    .init(letter: "t", name: "test", value: .none), .init(letter: "h", name: "help", value: .none),
    .init(letter: "n", name: "noflush", value: .none), .init(letter: "M", name: "modprobe", value: .required),
    .init(letter: "T", name: "table", value: .required), .init(letter: "w", name: "wait", value: .optional),
    .init(letter: "W", name: "wait-interval", value: .optional),
  ]

  /// What the options say.
  struct Settings {
    var readsCounters = false
    var verbosity = 0
    var isTest = false
    var flushes = true
    /// The one table to restore.
    var table: String?
    var wait: Int??
  }

  func run(_ words: ArraySlice<Token>, _ output: inout ToolOutput) throws(ToolFailure) -> ToolStatus {
    let given = Getopt(words, Self.options)
    var settings = Settings()
    for use in given.uses {
      switch use.letter {
      case "c": settings.readsCounters = true
      case "v": settings.verbosity += 1
      case "t": settings.isTest = true
      case "n": settings.flushes = false
      case "T": settings.table = use.value
      case "w": settings.wait = try wait(use.value)
      case "V":
        output.print(tool.versionLine + "\n")
        return .done
      case "h":
        output.complain(usage)
        return .done
      default: break
      }
    }
    if let unknown = given.unknown {
      throw ToolFailure(.failed, .name, "unrecognized option '\(unknown)'", hint: usage)
    }
    guard given.arguments.count <= 1 else {
      throw ToolFailure(.failed, .none, "Unknown arguments found on commandline", hint: usage)
    }
    let path = given.arguments.first
    let file: InputFile
    do throws(InputFile.Unreadable) {
      file = try InputFile(path: path ?? "-")
    } catch {
      throw ToolFailure(
        .failed, .none, "Can't open \(path ?? "standard input"): \(String(cString: strerror(error.code)))")
    }
    var reader = RestoreReader(tool, settings)
    let result = file.withBytes { bytes -> Result<Void, ToolFailure> in
      Result { () throws(ToolFailure) in try reader.read(bytes, &output) }
    }
    try result.get()
    return .done
  }

  private func wait(_ value: String?) throws(ToolFailure) -> Int? {
    guard let value else { return nil }
    guard let seconds = Int(value), seconds >= 0 else {
      throw ToolFailure(.usage, .version, "wait seconds not numeric: '\(value)'")
    }
    return seconds
  }

  private var usage: String {
    "Usage: \(tool.name) [-c] [-v] [-V] [-t] [-h] [-n] [-w SECONDS] [-T TABLE] [FILE]"
  }
}
