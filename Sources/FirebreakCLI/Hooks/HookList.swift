internal import Firebreak

struct HookList: Subcommand {
  static let name = "list"

  static let about = About(
    "Show which hooks there are, and what is at their places.",
    discussion: """
      installed: as this program would write it; outdated: Firebreak's, but written by another version, path or with other \
      options, or changed by hand; partly: files are missing; foreign: somebody else's file is in its place.
      """)

  @OptionGroup(title: "COMMON OPTIONS") var site: SiteOptions
  @OptionGroup() var options: HookOptions

  func run() throws {
    try site.run { console in
      let place = try options.hookSite()
      let program = try options.hookProgram(site)
      let hooks = try SystemHook.allCases.map { try Entry($0, program, place) }
      if console.isJSON { return console.print(.array(hooks.map(\.json))) }
      let rows = hooks.flatMap { entry in
        [[entry.hook.name, entry.status, entry.hook.summary]]
          + entry.files.filter { $0.condition == .foreign }.map { ["", "", "in the way: \($0.path)"] }
      }
      console.print(columns([["hook", "status", "what it does"]] + rows))
    }
  }

  private struct Entry {
    let hook: SystemHook
    let files: [(path: String, condition: HookSite.Condition)]

    init(_ hook: SystemHook, _ program: HookProgram, _ place: HookSite) throws {
      self.hook = hook
      files = try hook.files(program).map { (path: $0.path, condition: try place.condition(of: $0)) }
    }

    var status: String {
      let conditions = Set(files.map(\.condition))
      if conditions.contains(.foreign) { return "foreign" }
      if conditions.count == 1, let only = conditions.first { return only.rawValue }
      return conditions.contains(.absent) ? "partly" : "outdated"
    }

    var json: JSON {
      .object([
        ("hook", .string(hook.name)), ("status", .string(status)), ("summary", .string(hook.summary)),
        (
          "files",
          .array(
            files.map { .object([("path", .string($0.path)), ("status", .string($0.condition.rawValue))]) })
        ),
      ])
    }
  }
}

struct HookShow: Subcommand {
  static let name = "show"

  static let about = About(
    "Print the files of a hook.",
    discussion: "What goes into them is on standard output, where they go on standard error.")

  @OptionGroup(title: "COMMON OPTIONS") var site: SiteOptions
  @OptionGroup() var options: HookOptions

  @Argument("name", help: "Which one; `firebreak hook list` has them.") var name: SystemHook

  func run() throws {
    try site.run { console in
      let files = try name.files(try options.hookProgram(site))
      if console.isJSON { return console.print(.array(files.map(json))) }
      for file in files {
        switch file.content {
        case .text(let text, let isProgram):
          console.note("\(file.path), mode \(isProgram ? "0755" : "0644"):")
          console.print(text)
        case .link(let target, _): console.note("\(file.path), a link to \(target)")
        }
      }
    }
  }

  private func json(_ file: HookFile) -> JSON {
    switch file.content {
    case .text(let text, let isProgram):
      .object([
        ("path", .string(file.path)), ("mode", .string(isProgram ? "0755" : "0644")), ("text", .string(text)),
      ])
    case .link(let target, _): .object([("path", .string(file.path)), ("link", .string(target))])
    }
  }
}
