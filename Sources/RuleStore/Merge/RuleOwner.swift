/// A program that writes packet-filter rules beside others, by what its rules look like.
public enum RuleOwner: String, Hashable, Sendable, CaseIterable {
  case docker
  case podman
  case kubernetes
  case calico
  case cilium
  case flannel
  case weave
  case antrea
  case istio
  case cni
  case libvirt
  case lxd
  case incus
  case fail2ban
  case sshguard
  case crowdsec
  case wireguard
  case tailscale
  case miniupnpd
  case neutron
  case ufw
  case firewalld
  case shorewall
  case csf
  /// The rules of the last generation.
  case firebreak
  case unknown

  /// Its name as people write it.
  public var name: String {
    switch self {
    case .docker: "Docker"
    case .podman: "Podman"
    case .kubernetes: "Kubernetes"
    case .calico: "Calico"
    case .cilium: "Cilium"
    case .flannel: "Flannel"
    case .weave: "Weave Net"
    case .antrea: "Antrea"
    case .istio: "Istio"
    case .cni: "CNI plugins"
    case .libvirt: "libvirt"
    case .lxd: "LXD"
    case .incus: "Incus"
    case .fail2ban: "fail2ban"
    case .sshguard: "sshguard"
    case .crowdsec: "CrowdSec"
    case .wireguard: "wg-quick"
    case .tailscale: "Tailscale"
    case .miniupnpd: "miniupnpd"
    case .neutron: "OpenStack Neutron"
    case .ufw: "ufw"
    case .firewalld: "firewalld"
    case .shorewall: "Shorewall"
    case .csf: "csf"
    case .firebreak: "Firebreak"
    case .unknown: "unknown"
    }
  }

  /// Whether all its rules can be told from others', so that they stay from the first commit on. Those of Shorewall and csf
  /// are a whole firewall in chains of common names; half of them would be worse than none.
  public var isRecognisedWhole: Bool {
    switch self {
    case .shorewall, .csf, .firebreak, .unknown: false
    default: true
    }
  }

  /// Whether it loads a ruleset once, as Firebreak does, and leaves it; others change their chains whenever something
  /// happens. When a generation holds the chains of such a program, they are Firebreak's to change.
  public var isStatic: Bool {
    switch self {
    case .ufw, .firewalld, .shorewall, .csf: true
    default: false
    }
  }

  /// Chains that a program makes for the rules of its user: what is written there is whoever's wrote it.
  static let sharedChains: Set<String> = ["DOCKER-USER", "CNI-ADMIN"]
}

extension RuleOwner: CustomStringConvertible {
  public var description: String { name }
}

// MARK: Chains by name

extension RuleOwner {
  /// The program that makes chains of this name, wherever they are; nil where the name alone does not tell.
  init?(chain name: String) {
    if let exact = Self.names[name] {
      self = exact
    } else if let known = Self.beginnings.first(where: { name.hasPrefix($0.text) }) {
      self = known.owner
    } else {
      return nil
    }
  }

  private static let names: [String: RuleOwner] = [
    "DOCKER": .docker, "sshguard": .sshguard, "ts-input": .tailscale, "ts-forward": .tailscale,
    "ts-postrouting": .tailscale, "MINIUPNPD": .miniupnpd, "CROWDSEC_CHAIN": .crowdsec, "CROWDSEC6_CHAIN": .crowdsec,
    "WEAVE": .weave, "shorewall": .shorewall, "LOCALINPUT": .csf, "LOCALOUTPUT": .csf, "LOGDROPIN": .csf,
    "LOGDROPOUT": .csf, "DENYIN": .csf, "DENYOUT": .csf, "ALLOWIN": .csf, "ALLOWOUT": .csf, "GALLOWIN": .csf,
    "GALLOWOUT": .csf, "GDENYIN": .csf, "GDENYOUT": .csf, "ALLOWDYNIN": .csf, "ALLOWDYNOUT": .csf, "SMTPOUTPUT": .csf,
    "INVDROP": .csf,
  ]

  private static let beginnings: [(text: String, owner: RuleOwner)] = [
    ("DOCKER-", .docker), ("f2b-", .fail2ban), ("fail2ban-", .fail2ban), ("KUBE-", .kubernetes), ("cali-", .calico),
    ("felix-", .calico), ("CILIUM_", .cilium), ("OLD_CILIUM_", .cilium), ("FLANNEL-", .flannel), ("WEAVE-", .weave),
    ("ANTREA-", .antrea), ("ISTIO_", .istio), ("CNI-", .cni), ("LIBVIRT_", .libvirt), ("libvirt-", .libvirt),
    ("NETAVARK_", .podman), ("NETAVARK-", .podman), ("MINIUPNPD-", .miniupnpd), ("neutron-", .neutron), ("ufw-", .ufw),
    ("ufw6-", .ufw), ("shorewall_", .shorewall),
  ]
}

// MARK: Rules by their comments

extension RuleOwner {
  /// The program that writes rules with this comment; nil where it does not tell.
  init?(comment text: String) {
    guard let known = Self.comments.first(where: { text.hasPrefix($0.text) }) else { return nil }
    self = known.owner
  }

  private static let comments: [(text: String, owner: RuleOwner)] = [
    ("cali:", .calico), ("flanneld ", .flannel), ("cilium", .cilium), ("kubernetes ", .kubernetes),
    ("wg-quick(8) rule for ", .wireguard), ("generated for LXD network ", .lxd), ("managed by lxd-bridge", .lxd),
    ("generated for Incus network ", .incus), ("CNI portfwd ", .cni), ("CNI firewall plugin", .cni),
    ("Antrea: ", .antrea),
  ]
}
