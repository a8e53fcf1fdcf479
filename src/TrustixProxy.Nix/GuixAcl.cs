using System.Collections.Immutable;

namespace TrustixProxy.Nix;

/// <summary>Why a text is not an access control list of GNU Guix.</summary>
public enum GuixAclError
{
    /// <summary>The text is valid.</summary>
    None,

    /// <summary>Longer than <see cref="SExpression.MaxSize"/>.</summary>
    TooLarge,

    /// <summary>Not one S-expression <c>(acl …)</c>.</summary>
    Form,

    /// <summary>An entry is not <c>(entry (public-key …) (tag (guix import)))</c>.</summary>
    Entry,
}

/// <summary>The list of keys that a client of GNU Guix believes, <c>/etc/guix/acl</c>.</summary>
/// <remarks>Guix believes a narinfo with a signature by any one of them. Source: Guix <c>guix/pki.scm</c>.</remarks>
public static class GuixAcl
{
    /// <summary>Reads all keys, each on one line, in the order of the file. They may be of kinds that <see cref="GuixPublicKey"/> does not
    /// know: Guix may know them.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out ImmutableArray<string> keys, out GuixAclError error)
    {
        keys = [];
        if (text.Length > SExpression.MaxSize)
        {
            error = GuixAclError.TooLarge;
            return false;
        }

        if (!SExpression.TryParse(text, out var acl) || acl.Items is not [var name, .. var entries] || !name.Is("acl"))
        {
            error = GuixAclError.Form;
            return false;
        }

        var read = ImmutableArray.CreateBuilder<string>();
        foreach (var entry in entries)
        {
            if (entry.Rest("entry", 2) is not [var key, var tag] || key.Items is not [var kind, ..] || !kind.Is("public-key")
                || tag.Rest("tag", 1) is not [var import] || import.Rest("guix", 1) is not [var what] || !what.Is("import"))
            {
                error = GuixAclError.Entry;
                return false;
            }

            read.Add(GuixScheme.Canonical(key).ToString());
        }

        (keys, error) = (read.ToImmutable(), GuixAclError.None);
        return true;
    }
}
