internal import Firebreak

struct HookCommand: CommandGroup {
  static let name = "hook"

  static let about = About(
    "Have the system load the rules when it starts, and give them to tools that provision machines.",
    discussion: """
      HOOKS
      \(SystemHook.allCases.map { "  \($0.name.padded(to: 22))\($0.summary)" }.joined(separator: "\n"))

      All of them run `firebreak recover`: it loads the last generation that was confirmed, once in each start of the \
      machine. None takes rules away when it is stopped. One of the first three is enough.

      A file that is there already and not Firebreak's is never overwritten or removed.

      EXAMPLES
        firebreak hook install systemd
        firebreak hook install systemd --root /mnt/image --program /usr/sbin/firebreak
        firebreak hook show cloud-init > user-data.yaml
      """,
    subcommands: [HookInstall.self, HookRemove.self, HookList.self, HookShow.self])
}

extension SystemHook: ArgumentValue {}

/// Where hooks are, and what they call.
struct HookOptions: ParameterGroup {
  @Option("--root", help: "The folder that is / of the system, an image for instance.", placeholder: "dir")
  var root = "/"

  @Option(
    "--program", help: "The program that hooks call, as the system names it; this one if left out.", placeholder: "path"
  )
  var program: String?

  func hookSite() throws -> HookSite { try HookSite(root: root) }

  /// What hooks call: this program, with the options that say where it acts.
  func hookProgram(_ site: SiteOptions) throws -> HookProgram {
    guard site.netns == nil else {
      throw CommandFailure(.usage, "hooks act in the system's own network namespace", hint: "leave --netns out")
    }
    guard let path = program ?? site.programPath, !path.hasSuffix(" (deleted)") else {
      throw CommandFailure(.failed, "where this program is cannot be told", hint: "say --program PATH")
    }
    var options: [String] = []
    if site.backend != .auto { options += ["--backend", site.backend.rawValue] }
    if site.stateDir != StateDirectory.standardPath {
      guard site.stateDir.hasPrefix("/") else {
        throw CommandFailure(.usage, "--state-dir of a hook has to begin with /, not \(site.stateDir)")
      }
      options += ["--state-dir", site.stateDir]
    }
    return try HookProgram(path, options: options)
  }
}

/// What changing a hook did.
struct HookChange {
  let hook: SystemHook
  let paths: [String]
  let isRehearsal: Bool
  /// `installed`, `removed`.
  let done: String
  var notes: [String] = []

  func render(_ console: Console) {
    for note in notes { console.note(note) }
    let status = paths.isEmpty ? "unchanged" : isRehearsal ? "planned" : done
    if console.isJSON {
      return console.print(
        .object([
          ("status", .string(status)), ("changed", .bool(!paths.isEmpty)), ("hook", .string(hook.name)),
          ("files", .array(paths.map { .string($0) })), ("notes", .array(notes.map { .string($0) })),
        ]))
    }
    let files = paths.isEmpty ? "" : ": \(paths.joined(separator: ", "))"
    console.say(
      paths.isEmpty
        ? "unchanged: \(hook.name) is \(done) already" : isRehearsal ? "would be \(done)\(files)" : done + files)
  }
}

/// Changes files of this system only for root.
func requireRoot(_ place: HookSite) throws {
  guard place.isThisSystem else { return }
  try SiteOptions.requireRoot()
}

extension String {
  fileprivate func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
