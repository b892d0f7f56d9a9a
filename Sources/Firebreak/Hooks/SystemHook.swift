/// A place of the system from which Firebreak is called, or a tool that provisions machines with it.
package enum SystemHook: String, CaseIterable, Sendable {
  case systemd
  case netfilterPersistent = "netfilter-persistent"
  case ifupdown
  case cloudInit = "cloud-init"
  case ansible

  package var name: String { rawValue }

  /// One line for lists.
  package var summary: String {
    switch self {
    case .systemd: "loads the last generation before the network is there"
    case .netfilterPersistent: "the same in netfilter-persistent; its flush does not open the host"
    case .ifupdown: "the same before an interface comes up"
    case .cloudInit: "user data to copy from: rules, and the hook of systemd"
    case .ansible: "a module for playbooks, with check mode and diff"
    }
  }

  /// The files that make the hook.
  /// - Throws: ``HookFailure/unwritable(_:reason:)`` where the program's path cannot be said in one of them.
  package func files(_ program: HookProgram) throws(HookFailure) -> [HookFile] {
    switch self {
    case .systemd: try SystemdHook.files(program)
    case .netfilterPersistent: [NetfilterPersistentHook.file(program)]
    case .ifupdown: [IfupdownHook.file(program)]
    case .cloudInit: [CloudInitHook.file(program)]
    case .ansible: [AnsibleHook.file]
    }
  }

  /// What of the system calls the hook; nothing has to be there for the last two.
  private var host: [String] {
    switch self {
    case .systemd: ["/lib/systemd/systemd", "/usr/lib/systemd/systemd"]
    case .netfilterPersistent: ["/usr/sbin/netfilter-persistent"]
    case .ifupdown: ["/sbin/ifup", "/usr/sbin/ifup"]
    case .cloudInit, .ansible: []
    }
  }

  /// What to know about the system that the hook is in.
  package func notes(in site: HookSite) -> [String] {
    var notes: [String] = []
    if !host.isEmpty, !host.contains(where: site.has) { notes.append("there is no \(name) yet, which is to call it") }
    let saved = ["/etc/iptables/rules.v4", "/etc/iptables/rules.v6"].filter(site.has)
    if self == .netfilterPersistent, !saved.isEmpty {
      notes.append(
        "netfilter-persistent loads \(saved.joined(separator: " and ")) after this, in place of Firebreak's rules: "
          + "commit them once with `firebreak apply`, then move them away")
    }
    return notes
  }

  /// What stands in each file, by which it is known as Firebreak's.
  var marker: String { "`firebreak hook install \(name)`" }

  /// The comment at the beginning of each file.
  var heading: String { "# Written by \(marker); `firebreak hook remove \(name)` takes it away." }
}
