using System.Globalization;
using System.Net;

namespace TrustixProxy.IO.Connecting;

/// <summary>Matches hosts that <c>no_proxy</c> exempts from HTTP proxies.</summary>
/// <remarks>The list is separated by commas or blanks. An entry is <c>*</c> (all), a name (with all names below it, with or without a
/// leading dot or <c>*.</c>), an address or a network (10.0.0.0/8). Each but <c>*</c> may end in <c>:port</c>. Names are compared with the
/// URL's host; nothing is resolved. Source: curl's manual, <c>NO_PROXY</c>.</remarks>
internal sealed class ProxyBypass
{
    private readonly List<Rule> _rules = [];

    /// <param name="text">The list; null exempts nothing.</param>
    public ProxyBypass(string? text) => _rules.AddRange((text ?? "").Split([',', ' ', '\t', '\n'], StringSplitOptions.RemoveEmptyEntries)
        .Select(Rule.Of));

    /// <summary>Whether an address is reached directly: one in the list, or on this machine.</summary>
    public bool Covers(Uri address)
    {
        var host = address.IdnHost.Trim('[', ']').TrimEnd('.');
        var literal = IPAddress.TryParse(host, out var parsed) ? parsed.IsIPv4MappedToIPv6 ? parsed.MapToIPv4() : parsed : null;
        return AddressScopes.OfHost(host) is AddressScope.Loopback || _rules.Exists(rule => rule.Matches(host, literal, address.Port));
    }

    private sealed record Rule(string Name, IPNetwork? Network, int? Port)
    {
        public static Rule Of(string text)
        {
            if (NetworkOf(text) is { } whole)
            {
                return new Rule("", whole, null);
            }

            var colon = text.LastIndexOf(':');
            var hasPort = ushort.TryParse(text[(colon + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var port) && colon > 0;
            var name = hasPort ? text[..colon] : text;
            var suffix = name.StartsWith("*.", StringComparison.Ordinal) ? name[2..] : name.TrimStart('.');
            return new Rule(suffix.TrimEnd('.'), NetworkOf(name), hasPort ? port : null);
        }

        public bool Matches(string host, IPAddress? literal, int port) =>
            (Port is null || Port == port)
            && (Name is "*"
                || (Network is { } network && literal is not null && network.Contains(literal))
                || (Network is null && Name.Length > 0
                && (host.Equals(Name, StringComparison.OrdinalIgnoreCase)
                || host.EndsWith($".{Name}", StringComparison.OrdinalIgnoreCase))));

        /// <summary>Parses a network, with or without host bits (10.1.2.3/8); a single address is a network of one.</summary>
        private static IPNetwork? NetworkOf(string text)
        {
            var slash = text.IndexOf('/', StringComparison.Ordinal);
            if (!IPAddress.TryParse((slash < 0 ? text : text[..slash]).Trim('[', ']'), out var address))
            {
                return null;
            }

            var bytes = address.GetAddressBytes();
            var length = bytes.Length * 8;
            if (slash >= 0 && (!int.TryParse(text[(slash + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out length)
                || length > bytes.Length * 8))
            {
                return null;
            }

            for (var bit = length; bit < bytes.Length * 8; bit++)
            {
                bytes[bit / 8] &= (byte)(0xff ^ (0x80 >> (bit % 8)));
            }

            return new IPNetwork(new IPAddress(bytes), length);
        }
    }
}
