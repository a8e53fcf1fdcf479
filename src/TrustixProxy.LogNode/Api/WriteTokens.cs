using System.Text;
using System.Text.Json;
using TrustixProxy.Nix;

namespace TrustixProxy.LogNode.Api;

/// <summary>Who may write. The reference's tokens sign no more than the name of the call: whoever sees one can use it again, so they are for loopback and unix sockets.</summary>
/// <remarks>Header <c>Trustix-Token: {"name":"peer","sig":"base64"}</c>; the signature is over <c>name:/package.Service/Method</c>. Private tokens are Nix secret keys in form.</remarks>
internal sealed class WriteTokens(bool? acceptReference)
{
    public const string Header = "Trustix-Token";

    private static readonly JsonSerializerOptions AnyCase = new() { PropertyNameCaseInsensitive = true };

    /// <summary>The header's value for a call.</summary>
    public static string Make(NixSecretKey token, string procedure)
    {
        var name = token.PublicKey.Name;
        return JsonSerializer.Serialize(new { name, sig = token.Sign(Encoding.UTF8.GetBytes($"{name}:{procedure}")) });
    }

    /// <summary>Why the call is refused; null when its token may write to <paramref name="log"/>.</summary>
    public ConnectAnswer? Check(ConnectContext context, HostedLog? log)
    {
        var listener = Listener.Of(context.Http);
        if (!listener.IsPrivate)
        {
            return ConnectAnswer.Fail(ConnectCode.PermissionDenied, "this listener is for reading: writes go to the node's privateListen");
        }

        if (context.Http.Request.Headers[Header].ToString() is not { Length: > 0 } header)
        {
            return ConnectAnswer.Fail(ConnectCode.Unauthenticated, $"unauthenticated write call attempted: the {Header} header is missing");
        }

        if (!(acceptReference ?? listener.IsLocal))
        {
            return ConnectAnswer.Fail(ConnectCode.Unauthenticated, "tokens of this form can be replayed, and are accepted on loopback and unix listeners only (referenceTokens)");
        }

        return log is not null && !IsValid(header, context.Procedure, log)
            ? ConnectAnswer.Fail(ConnectCode.Unauthenticated, "the token is not valid for this log and call")
            : null;
    }

    private static bool IsValid(string header, string procedure, HostedLog log)
    {
        try
        {
            var token = JsonSerializer.Deserialize<Token>(header, AnyCase);
            return token is { Name: { } name, Sig: { } signature }
                && log.Options.WriteTokens.Any(key => key.Name == name && key.Verify(Encoding.UTF8.GetBytes($"{name}:{procedure}"), signature));
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private sealed record Token(string? Name, byte[]? Sig);
}
