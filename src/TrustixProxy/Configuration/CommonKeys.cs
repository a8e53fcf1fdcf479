using TrustixProxy.Consensus;
using TrustixProxy.Native;
using TrustixProxy.Nix;
using TrustixProxy.TransparencyLog;

namespace TrustixProxy.Configuration;

/// <summary>Keys that more than one configuration has.</summary>
internal static class CommonKeys
{
    /// <summary>The key of the public cache of NixOS.</summary>
    public const string CacheNixosOrg = "cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=";

    /// <summary>What is said of a key that nobody should be believed by.</summary>
    public const string WeakKey = "is a weak or non-canonical key (all zero, of small order, or y not below p), for which anyone "
        + "can make signatures; ask its owner for the right key";

    /// <summary>Stands for the key of a log whose key cannot be read, so that the other faults are found too.</summary>
    public static readonly LogKey UnreadKey = new LogSigner(Ed25519SigningKey.Generate()).Key;

    /// <summary>The state directory, made if it is not there: as configured, or where this machine keeps such things.</summary>
    public static string StateDirectory(Section section, string name, bool isCheck) =>
        WritableDirectory(section, "stateDirectory", DefaultStateDirectory(name), isCheck);

    /// <summary>A directory of ours that is written to, made (0700) if it is not there.</summary>
    public static string WritableDirectory(Section section, string key, string fallback, bool isCheck)
    {
        var path = Path.GetFullPath(section.Text(key) ?? fallback);
        if (isCheck && !Path.Exists(path))
        {
            return path;
        }

        try
        {
            Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            using var probe = new FileStream(Path.Combine(path, $".probe-{Environment.ProcessId}"),
                new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, Options = FileOptions.DeleteOnClose });
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            section.Fault(
                key, $"is '{path}', which is not writable ({exception.Message}). Choose a directory this user can write to.");
        }

        return path;
    }

    /// <summary>A listening address: <c>http://host:port</c>, and where the section allows them <c>unix:/path</c> and
    /// <c>https://host:port</c>.</summary>
    public static void CheckListen(Section section, string key, IReadOnlyList<string> addresses, bool allowUnix, bool allowTls = false)
    {
        if (addresses.Count is 0)
        {
            section.Fault(key, "is empty; remove it, or give an address.");
        }

        foreach (var address in addresses)
        {
            var isUnix = allowUnix && address.StartsWith("unix:/", StringComparison.Ordinal);
            if (!isUnix && !IsListenUrl(address, allowTls))
            {
                section.Fault(key, $"has '{address}'; an address is http://ip:port or "
                    + $"http://localhost:port{(allowTls ? ", also with https" : "")}{(allowUnix ? ", or unix:/path" : "")}. For all of "
                    + $"this machine's addresses: http://0.0.0.0:port or http://[::]:port.");
            }
            else if (isUnix && ServiceUrl.FaultOfSocket(address["unix:".Length..]) is { } fault)
            {
                section.Fault(key, fault.Replace("is '", "has 'unix:", StringComparison.Ordinal));
            }
        }
    }

    private static bool IsListenUrl(string address, bool allowTls) =>
        Uri.TryCreate(address, UriKind.Absolute, out var url) && (url.Scheme is "http" || (allowTls && url.Scheme is "https"))
            && url.PathAndQuery is "/" && url.Fragment.Length is 0 && url.UserInfo.Length is 0
        && (url.Host is "localhost" || url.HostNameType is UriHostNameType.IPv4 or UriHostNameType.IPv6);

    /// <summary>The address of a binary cache: http, https, or <c>file:///path</c>.</summary>
    public static Uri CacheUrl(Section section, string key) => Url(section, key, UrlForms.Folder, out _);

    /// <summary>The address of a binary cache: http, https, and where the forms allow them a folder and a bucket.</summary>
    /// <param name="bucket">What an <c>s3://</c> address says beside it; null for another address.</param>
    public static Uri CacheUrl(Section section, string key, UrlForms forms, out int? priority, out BucketUrl? bucket)
    {
        bucket = null;
        if (!BucketUrl.IsOne(section.Glimpse(key) ?? ""))
        {
            return Url(section, key, forms, out priority);
        }

        var text = section.Required(key, "s3://bucket?region=eu-central-1");
        if (text.Length > 0 && BucketUrl.FaultOf(text, Environment.GetEnvironmentVariable, out bucket) is { } fault)
        {
            section.Fault(key, fault);
        }

        priority = bucket?.Priority;
        return bucket?.Base ?? new Uri("http://invalid.invalid");
    }

    /// <summary>The address of a service: http, https, and where the section allows it <c>unix:/path</c>.</summary>
    public static Uri Url(Section section, string key, bool allowUnix) =>
        Url(section, key, allowUnix ? UrlForms.Unix : UrlForms.Web, out _);

    /// <summary>The address of a service, and the <c>?priority=N</c> behind it where the forms allow that.</summary>
    public static Uri Url(Section section, string key, UrlForms forms, out int? priority)
    {
        var text = section.Required(key, forms.HasFlag(UrlForms.Unix) ? "https://log.example.org or unix:/run/log.sock"
            : "https://cache.example.org");
        (Uri? url, priority) = (null, null);
        if (text.Length > 0 && ServiceUrl.FaultOf(text, forms, out url, out priority) is { } fault)
        {
            section.Fault(key, fault);
        }

        return url ?? new Uri("http://invalid.invalid");
    }

    /// <summary>Reads the address of a service.</summary>
    public static bool TryReadUrl(string text, bool allowUnix, [NotNullWhen(true)] out Uri? url) =>
        ServiceUrl.FaultOf(text, allowUnix ? UrlForms.Unix : UrlForms.Web, out url, out _) is null && url is not null;

    /// <summary>Reads public keys, each once; blanks around one mean nothing, as in nix.conf.</summary>
    public static IReadOnlyList<NixPublicKey> PublicKeys(Section section, string key)
    {
        var keys = new List<NixPublicKey>();
        foreach (var text in section.Texts(key))
        {
            if (!NixPublicKey.TryParse(text.Trim(), out var read, out var error))
            {
                section.Fault(key, $"has '{text}', which {ExplainPublic(error)}.");
            }
            else if (keys.Find(known => known.Bytes.SequenceEqual(read.Bytes)) is { } twice)
            {
                section.Fault(key, $"has the key of '{twice.Name}' twice; remove one.");
            }
            else
            {
                keys.Add(read);
            }
        }

        return keys;
    }

    /// <summary>The store, Nix's unless set.</summary>
    public static Store Store(Section section)
    {
        const string key = "store";
        var text = section.Text(key, Nix.Store.Nix.Directory)!;
        if (!Nix.Store.TryParse(text, out var store))
        {
            section.Fault(key, $"is '{text}'; it must be \"{Nix.Store.Nix}\" or \"{Nix.Store.Guix}\".");
        }

        return store ?? Nix.Store.Nix;
    }

    /// <summary>Reads public keys of caches in the form of a store, each once.</summary>
    public static IReadOnlyList<CacheKey> PublicKeys(Section section, string key, Store store)
    {
        if (store == Nix.Store.Nix)
        {
            return PublicKeys(section, key);
        }

        var keys = new List<CacheKey>();
        foreach (var text in section.Paragraphs(key))
        {
            if (!GuixPublicKey.TryParse(text, out var read, out var error))
            {
                section.Fault(key, $"has '{OnOneLine(text)}', which {Explain(error)}.");
            }
            else if (keys.Contains(read))
            {
                section.Fault(key, $"has the key '{read}' twice; remove one.");
            }
            else
            {
                keys.Add(read);
            }
        }

        return keys;
    }

    /// <summary>Patterns of store path names.</summary>
    public static IReadOnlyList<string> Globs(Section section, string key)
    {
        var globs = section.Texts(key);
        foreach (var glob in globs.Where(glob => !NameGlob.IsGlob(glob)))
        {
            section.Fault(key, $"has '{glob}', which matches no name: a glob applies to the name after the digest, \"secret-*\" "
                + $"for example, "
                + "with * and ?.");
        }

        return globs;
    }

    /// <summary>Why a text is no public key, with what to do: its owner's text is the right one.</summary>
    private static string ExplainPublic(NixKeyError error) => error switch
    {
        NixKeyError.NoColon or NixKeyError.Name or NixKeyError.Weak => Explain(error),
        _ => "has no base64 of 32 bytes after the colon; copy it whole from where its owner publishes it",
    };

    /// <summary>Why a text is no key, with what to do.</summary>
    public static string Explain(NixKeyError error) => error switch
    {
        NixKeyError.NoColon => "has no colon; a key is name:base64",
        NixKeyError.Name => "has an empty name or one with white space; a key is name:base64",
        NixKeyError.Weak => WeakKey,
        NixKeyError.Halves => "has two halves that do not match; create a new key with trustix-proxy keygen",
        _ => "has no base64 of the right length after the colon; create a new key with trustix-proxy keygen",
    };

    /// <summary>A text with one blank for each run of white space.</summary>
    private static string OnOneLine(string text) => string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));

    /// <summary>Why a text is no key of GNU Guix, with what to do.</summary>
    private static string Explain(GuixKeyError error) => error switch
    {
        GuixKeyError.Kind => "is a kind of key that Guix does not verify; it must be ecc over Ed25519 or NIST P-256, without flags, or rsa",
        GuixKeyError.Library => "is an Ed25519 key, whose curve this machine's libcrypto refuses; install an OpenSSL 3 that takes more "
            + "than named curves, as libssl3 of Debian and openssl of Nix do",
        GuixKeyError.Value => "is no valid key of its kind; give the text of the cache's signing-key.pub",
        _ => "is no (public-key …); with \"store\": \"/gnu/store\" give the text of the cache's signing-key.pub, on one line or many",
    };

    /// <summary>Where this machine keeps such things.</summary>
    public static string DefaultStateDirectory(string name) =>
        Environment.GetEnvironmentVariable("XDG_STATE_HOME") is { Length: > 0 } home ? Path.Combine(home, name)
        : Environment.IsPrivilegedProcess ? $"/var/lib/{name}"
        : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".local", "state", name);

    /// <summary>The free tags of an elector.</summary>
    public static ElectorTags Tags(Section section) =>
        ElectorTags.Of(section.Map("tags", "{\"country\": \"DE\"}"));
}
