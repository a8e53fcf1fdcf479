using TrustixProxy.Nix;
using TrustixProxy.Publisher;

namespace TrustixProxy.Configuration;

/// <summary>The configuration of <c>publish</c>.</summary>
internal static class PublishConfiguration
{
    /// <param name="isCheck">Whether it is only looked at: then no directory is made.</param>
    public static PublisherOptions? Read(Section section, bool isCheck)
    {
        ProxyKeys.OfEnvironment(section); // the submitter heeds it
        var log = section.Object("log");
        var url = CommonKeys.Url(log, "url", allowUnix: true);
        var tokenFile = log.Required("tokenFile", "/etc/trustix/token.key, created by trustix-proxy keygen");
        var name = log.Text("name");
        NixSecretKey? token = null;
        if (tokenFile.Length > 0 && !KeyFile.TryReadPrivate(tokenFile, allowBare: false, out token, out var fault))
        {
            log.Fault("tokenFile", fault);
        }

        var spool = CommonKeys.WritableDirectory(section, "spoolDirectory", Spool.DefaultDirectory, isCheck);
        var guix = ReadGuix(section);
        var filter = new NameFilter([.. CommonKeys.Globs(section, "include")], [.. CommonKeys.Globs(section, "exclude")]);
        var includesFetched = section.Flag("fetched") ?? false;
        var listen = section.Texts("listen");
        if (listen.Count > 0)
        {
            CommonKeys.CheckListen(section, "listen", listen, allowUnix: true);
            OwnAddresses.CheckDistinct(section, ("listen", listen));
        }

        if (OwnAddresses.ListenerAt(listen, url) is { } own)
        {
            log.Fault("url", $"is '{url}', where this publisher itself listens ('{own}'). Set it to the log node's private listener.");
        }

        return token is null ? null : new PublisherOptions
        {
            Url = url,
            Token = token,
            LogName = name,
            SpoolDirectory = spool,
            Guix = guix,
            Filter = filter,
            IncludesFetched = includesFetched,
            Listen = [.. listen],
        };
    }

    /// <summary>Reads which store's builds are published; null for Nix, whose hook leaves jobs.</summary>
    private static GuixStore? ReadGuix(Section section)
    {
        var (store, state) = (CommonKeys.Store(section), section.Text("guixState"));
        if (store == Store.Nix)
        {
            if (state is not null)
            {
                section.Fault("guixState", $"is '{state}', but the builds of {Store.Nix} are published. Set store to '{Store.Guix}', or "
                    + "remove the key.");
            }

            return null;
        }

        var guix = new GuixStore(state ?? GuixStore.DefaultState);
        if (guix.Fault is { } fault)
        {
            section.Fault("guixState", $"is '{guix.State}', whose database cannot be read: {fault}");
        }

        return guix;
    }
}
