import Glibc
import KernelTestSupport
import Testing

/// Not every machine that tests has systemd.
private let hasSystemd = Need.tool("systemd-analyze").whatIsMissing == nil

/// Which files hooks are, and what happens to those that are there already. Needs no root.
@Suite struct HookFileTests {

  private static let files: [(hook: String, listing: String)] = [
    (
      "systemd",
      """
      etc/systemd/system/firebreak.service 644 
      etc/systemd/system/multi-user.target.wants/firebreak.service 777 ../firebreak.service

      """
    ),
    ("netfilter-persistent", "usr/share/netfilter-persistent/plugins.d/15-firebreak 755 \n"),
    ("ifupdown", "etc/network/if-pre-up.d/firebreak 755 \n"),
    ("cloud-init", "usr/share/doc/firebreak/examples/cloud-init.yaml 644 \n"),
    ("ansible", "usr/share/ansible/plugins/modules/firebreak.py 644 \n"),
  ]

  @Test(arguments: files) func installedAndRemoved(_ hook: String, _ listing: String) throws {
    let root = try ImageRoot()
    let rehearsed = try root.hook("install", "--check", "--json", hook)
    #expect(
      rehearsed.status == 0 && rehearsed.stdout.contains("\"status\":\"planned\",\"changed\":true"), "\(rehearsed)")
    #expect(try root.listing == "")
    let first = try root.hook("install", hook, "--json")
    #expect(first.status == 0 && first.stdout.contains("\"status\":\"installed\",\"changed\":true"), "\(first)")
    #expect(try root.listing == listing)
    let second = try root.hook("install", hook, "--json")
    #expect(second.status == 0 && second.stdout.contains("\"status\":\"unchanged\",\"changed\":false"), "\(second)")
    let list = try root.hook("list").stdout
    #expect(list.split(separator: "\n").contains { $0.hasPrefix(hook) && $0.contains(" installed ") }, "\(list)")
    #expect(list.split(separator: "\n").filter { $0.contains(" absent ") }.count == Self.files.count - 1, "\(list)")
    let removed = try root.hook("remove", hook, "--json")
    #expect(removed.status == 0 && removed.stdout.contains("\"status\":\"removed\",\"changed\":true"), "\(removed)")
    #expect(try root.listing == "")
    #expect(try root.hook("remove", hook).stdout == "unchanged: \(hook) is removed already\n")
  }

  @Test(arguments: files) func theFilesOfOthersStay(_ hook: String, _ listing: String) throws {
    let root = try ImageRoot()
    let name = "/" + listing.split(separator: " ")[0]
    try root.put("#!/bin/sh\n# mine\n", at: name)
    for command in ["install", "remove"] {
      let result = try root.hook(command, hook)
      #expect(result.status == 1 && result.stderr.contains("not Firebreak's"), "\(result)")
      #expect(result.stderr.contains(root.path + name), "\(result)")
    }
    #expect(try root.text(name) == "#!/bin/sh\n# mine\n")
    #expect(try root.listing.split(separator: "\n").count == 1, "nothing is written beside it")
    #expect(try root.hook("list").stdout.contains("in the way: \(name)"))
  }

  /// A unit that was masked, and one that another link enables.
  @Test func linksOfOthersStay() throws {
    let root = try ImageRoot()
    let unit = "/etc/systemd/system/firebreak.service"
    try root.put("", at: "/etc/systemd/system/x")
    try #require(symlink("/dev/null", root.path + unit) == 0)
    #expect(try root.hook("install", "systemd").status == 1)
    unlink(root.path + unit)
    try root.put("", at: "/etc/systemd/system/multi-user.target.wants/x")
    let link = root.path + "/etc/systemd/system/multi-user.target.wants/firebreak.service"
    try #require(symlink("/etc/other.service", link) == 0)
    #expect(try root.hook("install", "systemd").status == 1)
    #expect(!root.has(unit), "all are looked at before the first is written")
    unlink(link)
    try #require(symlink(unit, link) == 0)
    #expect(try root.hook("install", "systemd").status == 0, "as systemctl enables it")
    #expect(try root.hook("install", "systemd").stdout.hasPrefix("unchanged"))
  }

  @Test func anEarlierVersionIsReplaced() throws {
    let root = try ImageRoot()
    #expect(try root.hook("install", "ifupdown", "--program", "/opt/firebreak").status == 0)
    let old = try root.text("/etc/network/if-pre-up.d/firebreak")
    #expect(old.contains("/opt/firebreak recover"))
    #expect(try root.hook("list").stdout.contains("outdated"))
    #expect(try root.hook("install", "ifupdown").stdout.hasPrefix("installed: "))
    #expect(try root.text("/etc/network/if-pre-up.d/firebreak") != old)
    chmod(root.path + "/etc/network/if-pre-up.d/firebreak", 0o600)
    #expect(try root.hook("install", "ifupdown").stdout.hasPrefix("installed: "), "the mode counts too")
    #expect(root.mode("/etc/network/if-pre-up.d/firebreak") == 0o755)
  }

  @Test func noHiddenFilesAreLeftWhenTheUmaskIsTight() throws {
    let root = try ImageRoot()
    let result = try runProcess(
      ["sh", "-c", "umask 077; exec \"$@\"", "sh", Built.firebreak, "hook", "install", "ifupdown", "--root", root.path])
    #expect(result.status == 0, "\(result)")
    #expect(try root.listing == "etc/network/if-pre-up.d/firebreak 755 \n")
    #expect(root.mode("/etc/network") == 0o755)
  }

  /// A link in an image that leads to the machine which the image is made on.
  @Test func nothingIsWrittenOutsideOfTheRoot() throws {
    let root = try ImageRoot()
    let outside = try ImageRoot()
    try #require(symlink(outside.path, root.path + "/etc") == 0)
    let result = try root.hook("install", "systemd")
    #expect(result.status == 1 && result.stderr.contains("leads out of"), "\(result)")
    #expect(try outside.listing == "")
    #expect(try runProcess(["ls", "-A", outside.path]).stdout == "")
    #expect(try runProcess([Built.firebreak, "hook", "list", "--root", "/nowhere/at/all"]).status == 66)
  }

  @Test func wrongWordsAreRefused() throws {
    let root = try ImageRoot()
    let unknown = try root.hook("install", "upstart")
    #expect(unknown.status == 64 && unknown.stderr.contains("netfilter-persistent"), "\(unknown)")
    #expect(try root.hook("install", "systemd", "--netns", "x").status == 64)
    #expect(try root.hook("install", "systemd", "--state-dir", "here").status == 64)
    #expect(try root.hook("install", "systemd", "--program", "firebreak").status == 1)
    #expect(try root.hook("install", "systemd", "--program", "/opt/\nfirebreak").status == 1)
    #expect(try root.hook("install", "systemd", "--program", "/opt/a\"b").status == 1)
    #expect(try root.listing == "")
  }

  /// What systemd itself says of the unit, also where the program's path needs quoting.
  @Test(.enabled(if: hasSystemd, "needs systemd-analyze"), arguments: ["firebreak", "with space", "50% $HOME"])
  func systemdReadsTheUnit(_ name: String) throws {
    let root = try ImageRoot()
    let program = "\(root.path)/\(name)"
    try runProcess(["cp", "/bin/true", program])
    let state = "\(root.path)/a \"state\" of 50% $HOME"
    #expect(try root.hook("install", "systemd", "--program", program, "--state-dir", state).status == 0)
    let unit = root.path + "/etc/systemd/system/firebreak.service"
    let result = try runProcess(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", unit])
    #expect(result.status == 0 && !result.stderr.contains("firebreak.service"), "\(result)")
    let text = try root.text("/etc/systemd/system/firebreak.service")
    for line in ["Before=network-pre.target shutdown.target", "Wants=network-pre.target", "DefaultDependencies=no"] {
      #expect(text.contains(line + "\n"), "\(line)")
    }
    #expect(!text.contains("ExecStop"))
  }

  /// A unit that systemd does complain of, so that its silence above says something.
  @Test(.enabled(if: hasSystemd, "needs systemd-analyze")) func systemdComplainsOfABadUnit() throws {
    let root = try ImageRoot()
    #expect(try root.hook("install", "systemd", "--program", "/nowhere/firebreak").status == 0)
    let unit = root.path + "/etc/systemd/system/firebreak.service"
    let result = try runProcess(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", unit])
    #expect(result.status != 0 && result.stderr.contains("/nowhere/firebreak"), "\(result)")
  }

  @Test func theExamplesAreWhatHooksWrite() throws {
    let examples = Built.packageDirectory + "/examples/provisioning"
    for (hook, file) in [("cloud-init", "cloud-init.yaml"), ("ansible", "ansible/library/firebreak.py")] {
      let shown = try runProcess([Built.firebreak, "hook", "show", hook, "--program", "/usr/local/sbin/firebreak"])
      #expect(shown.output == (try readFile("\(examples)/\(file)")), "\(file)")
    }
  }

  @Test func aProgramOfOthersRulesIsTold() throws {
    let root = try ImageRoot()
    try root.put("*filter\nCOMMIT\n", at: "/etc/iptables/rules.v4")
    let result = try root.hook("install", "netfilter-persistent")
    #expect(result.stderr.contains("loads /etc/iptables/rules.v4 after this"), "\(result)")
    #expect(result.stderr.contains("there is no netfilter-persistent yet"), "\(result)")
  }
}
