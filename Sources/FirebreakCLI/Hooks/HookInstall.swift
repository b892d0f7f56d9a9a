internal import Firebreak

struct HookInstall: Subcommand {
  static let name = "install"

  static let about = About(
    "Write the files of a hook.",
    discussion: """
      They call this program by its path; --state-dir and --backend go into them. What is as it should be is left alone.
      systemd and ifupdown call the hook from the next start of the machine on.
      """)

  @OptionGroup(title: "COMMON OPTIONS") var site: SiteOptions
  @OptionGroup() var options: HookOptions

  @Flag("--check", "--dry-run", "-n", help: "Say what would be written, and write nothing.")
  var check = false

  @Argument("name", help: "Which one; `firebreak hook list` has them.") var name: SystemHook

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

struct HookRemove: Subcommand {
  static let name = "remove"

  static let about = About(
    "Remove the files of a hook.",
    discussion: "The rules stay in force, and what is on file of them stays too.")

  @OptionGroup(title: "COMMON OPTIONS") var site: SiteOptions
  @OptionGroup() var options: HookOptions

  @Flag("--check", "--dry-run", "-n", help: "Say what would be removed, and remove nothing.")
  var check = false

  @Argument("name", help: "Which one; `firebreak hook list` has them.") var name: SystemHook

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
