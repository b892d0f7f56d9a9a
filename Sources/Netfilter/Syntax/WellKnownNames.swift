/// Names that mean the same on every machine, for machines without /etc/services and /etc/protocols
/// (IANA Service Name and Transport Protocol Port Number Registry; IANA Protocol Numbers).
enum WellKnownNames {
  private static let services: [(String, UInt16)] = [
    ("ftp-data", 20), ("ftp", 21), ("ssh", 22), ("telnet", 23), ("smtp", 25), ("time", 37), ("whois", 43),
    ("tacacs", 49), ("domain", 53), ("bootps", 67), ("bootpc", 68), ("tftp", 69), ("gopher", 70),
    ("finger", 79), ("http", 80), ("www", 80), ("kerberos", 88), ("pop3", 110), ("sunrpc", 111),
    ("auth", 113), ("nntp", 119), ("ntp", 123), ("epmap", 135), ("netbios-ns", 137), ("netbios-dgm", 138),
    ("netbios-ssn", 139), ("imap2", 143), ("imap", 143), ("snmp", 161), ("snmp-trap", 162), ("snmptrap", 162),
    ("bgp", 179), ("irc", 194), ("ldap", 389), ("https", 443), ("microsoft-ds", 445), ("kpasswd", 464),
    ("submissions", 465), ("smtps", 465), ("isakmp", 500), ("exec", 512), ("biff", 512), ("login", 513),
    ("who", 513), ("shell", 514), ("syslog", 514), ("printer", 515), ("route", 520), ("submission", 587),
    ("ipp", 631), ("ldaps", 636), ("domain-s", 853), ("rsync", 873), ("imaps", 993), ("pop3s", 995),
    ("socks", 1080), ("openvpn", 1194), ("ms-sql-s", 1433), ("l2f", 1701), ("radius", 1812),
    ("radius-acct", 1813), ("nfs", 2049), ("mysql", 3306), ("ms-wbt-server", 3389), ("svn", 3690),
    ("ipsec-nat-t", 4500), ("sip", 5060), ("sip-tls", 5061), ("xmpp-client", 5222), ("xmpp-server", 5269),
    ("mdns", 5353), ("postgresql", 5432), ("amqp", 5672), ("x11", 6000), ("redis", 6379),
    ("http-alt", 8080), ("git", 9418),
  ]

  private static let protocols: [(String, UInt8)] = [
    ("ip", 0), ("hopopt", 0), ("igmp", 2), ("ggp", 3), ("ipencap", 4), ("st", 5), ("egp", 8), ("igp", 9),
    ("pup", 12), ("hmp", 20), ("xns-idp", 22), ("rdp", 27), ("iso-tp4", 29), ("dccp", 33), ("xtp", 36),
    ("ddp", 37), ("idpr-cmtp", 38), ("ipv6", 41), ("ipv6-route", 43), ("ipv6-frag", 44), ("idrp", 45),
    ("rsvp", 46), ("gre", 47), ("skip", 57), ("ipv6-nonxt", 59), ("ipv6-opts", 60), ("rspf", 73),
    ("vmtp", 81), ("eigrp", 88), ("ospf", 89), ("ax.25", 93), ("ipip", 94), ("etherip", 97), ("encap", 98),
    ("pim", 103), ("ipcomp", 108), ("vrrp", 112), ("l2tp", 115), ("isis", 124), ("fc", 133),
    ("mpls-in-ip", 137), ("manet", 138), ("hip", 139), ("shim6", 140), ("wesp", 141), ("rohc", 142),
  ]

  static func port(of name: String) -> UInt16? { services.first { $0.0 == name }?.1 }
  static func protocolNumber(of name: String) -> UInt8? { protocols.first { $0.0 == name }?.1 }
  static func protocolName(of number: UInt8) -> String? { protocols.first { $0.1 == number }?.0 }
  static var serviceNames: [String] { services.map(\.0) }
  static var protocolNames: [String] { protocols.map(\.0) }
}
