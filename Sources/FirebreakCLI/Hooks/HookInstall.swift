internal import ArgumentParser
internal import Firebreak

struct HookInstall: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "install", abstract: "Write the files of a hook.",
    discussion: """
      They call this program by its path; --state-dir and --backend go into them. What is as it should be is left alone.
      systemd and ifupdown call the hook from the next start of the machine on.
      """)

  @OptionGroup var site: SiteOptions
  @OptionGroup var options: HookOptions

  @Flag(
    name: [.customShort("n"), .customLong("check"), .customLong("dry-run")],
    help: "Say what would be written, and write nothing.")
  var check = false

  @Argument(help: "Which one; `firebreak hook list` has them.") var name: SystemHook

  func run() throws {
    try site.run { console in
      let place = try options.hookSite()
      if !check { try requireRoot(place) }
      let paths = try place.install(try name.files(try options.hookProgram(site)), isRehearsal: check)
      var change = HookChange(
        hook: name, paths: paths, isRehearsal: check, done: "installed", notes: name.notes(in: place))
      if name == .systemd, !paths.isEmpty, !check, !place.reloadSystemd() {
        change.notes.append("systemd has not read it yet: run systemctl daemon-reload")
      }
      change.render(console)
    }
  }
}

struct HookRemove: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "remove", abstract: "Remove the files of a hook.",
    discussion: "The rules stay in force, and what is on file of them stays too.")

  @OptionGroup var site: SiteOptions
  @OptionGroup var options: HookOptions

  @Flag(
    name: [.customShort("n"), .customLong("check"), .customLong("dry-run")],
    help: "Say what would be removed, and remove nothing.")
  var check = false

  @Argument(help: "Which one; `firebreak hook list` has them.") var name: SystemHook

  func run() throws {
    try site.run { console in
      let place = try options.hookSite()
      if !check { try requireRoot(place) }
      let paths = try place.remove(try name.files(try options.hookProgram(site)), isRehearsal: check)
      var change = HookChange(hook: name, paths: paths, isRehearsal: check, done: "removed")
      if name == .systemd, !paths.isEmpty, !check, !place.reloadSystemd() {
        change.notes.append("systemd still knows it: run systemctl daemon-reload")
      }
      change.render(console)
    }
  }
}
