using TrustixProxy.IO.Buckets;

namespace TrustixProxy.Configuration;

/// <summary>Finds the key of a profile in a credentials file of the AWS tools.</summary>
/// <remarks>
/// <code>
/// [default]
/// aws_access_key_id = ID
/// aws_secret_access_key = SECRET
/// aws_session_token = TOKEN
/// </code>
/// A line that begins with <c>#</c> or <c>;</c> is a comment; other keys are ignored. Of a key that is there twice, the last is
/// used. A profile may also be called <c>[profile NAME]</c>.</remarks>
internal static class AwsCredentialsFile
{
    /// <summary>The most characters of a file.</summary>
    public const int MaxSize = 256 << 10;

    private const string Id = "aws_access_key_id", Secret = "aws_secret_access_key", Token = "aws_session_token";

    /// <summary>Finds the key of a profile.</summary>
    /// <param name="isThere">Whether the profile is there.</param>
    /// <param name="fault">What is wrong, to follow the name of the file.</param>
    public static bool TryFind(
        string text, string profile, [NotNullWhen(true)] out AwsCredentials? credentials, out bool isThere, out string fault)
    {
        (credentials, fault) = (null, "");
        var values = Read(text, profile);
        isThere = values is not null;
        if (values is null)
        {
            fault = $"which has no profile '{profile}'.";
        }
        else if (!values.TryGetValue(Id, out var id) || !values.TryGetValue(Secret, out var secret))
        {
            fault = $"whose profile '{profile}' has not both {Id} and {Secret}; other ways to get a key are not used here.";
        }
        else if (new[] { id, secret, values.GetValueOrDefault(Token) ?? "x" }.Any(part => part.Length is 0 || !IsPlain(part)))
        {
            fault = $"whose profile '{profile}' has a value that is empty, or has characters other than printable ASCII without spaces.";
        }
        else
        {
            credentials = new AwsCredentials(id, secret, values.GetValueOrDefault(Token));
        }

        return credentials is not null;
    }

    /// <summary>Whether a text can be a part of a key.</summary>
    public static bool IsPlain(string part) => part.All(letter => letter is > ' ' and <= '~');

    private static Dictionary<string, string>? Read(string text, string profile)
    {
        Dictionary<string, string>? found = null;
        var isWanted = false;
        foreach (var line in text.Split('\n').Select(line => line.Trim()).Where(line => line is not ("" or ['#', ..] or [';', ..])))
        {
            if (line[0] is '[')
            {
                var end = line.IndexOf(']', StringComparison.Ordinal);
                isWanted = end > 0 && NameIn(line[1..end].Trim()) == profile;
                found ??= isWanted ? new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase) : null;
            }
            else if (isWanted && line.Split('=', 2) is [var key, var value])
            {
                found![key.Trim()] = value.Trim();
            }
        }

        return found;
    }

    private static string NameIn(string header) =>
        header.StartsWith("profile ", StringComparison.Ordinal) ? header["profile ".Length..].Trim() : header;
}
