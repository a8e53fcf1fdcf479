using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using TrustixProxy.Apt;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Connections;

namespace TrustixProxy.AptGate.Serving;

/// <summary>What the gate says beside a file's bytes.</summary>
internal static class AnswerHeaders
{
    /// <summary>The outcome of the decision on a package.</summary>
    public const string Decision = "X-Trustix-Decision";

    /// <summary>Maximum length of a reason phrase.</summary>
    private const int MaxPhrase = 200;

    private static readonly TimeSpan TryAgain = TimeSpan.FromSeconds(2);

    /// <summary>Answers that a package is refused: 403, or 503 while only silence keeps it undecided. apt prints the reason
    /// phrase.</summary>
    public static Task RefuseAsync(this HttpContext context, DebVerdict verdict)
    {
        context.Response.Headers[Decision] = verdict.Outcome.Word();
        if (verdict.MayChange)
        {
            context.Response.Headers.RetryAfter = TryAgain.TotalSeconds.ToString(CultureInfo.InvariantCulture);
        }

        return context.FailAsync(verdict.MayChange ? StatusCodes.Status503ServiceUnavailable : StatusCodes.Status403Forbidden,
            verdict.Reason, $"{verdict.Reason}\n{verdict.Asked.Text}: {verdict.Sentence}\n");
    }

    /// <summary>Answers with a status, a reason phrase, and a text.</summary>
    /// <param name="text">The body; the phrase when null.</param>
    public static Task FailAsync(this HttpContext context, int status, string phrase, string? text = null)
    {
        if (context.Features.Get<IHttpResponseFeature>() is { } response)
        {
            response.ReasonPhrase = Phrase(phrase);
        }

        context.Response.Headers.CacheControl = "no-store";
        context.Response.Headers.XContentTypeOptions = "nosniff";
        return context.WriteTextAsync(status, text ?? $"{phrase}\n");
    }

    /// <summary>Makes a reason phrase of a text: printable ASCII, bounded.</summary>
    internal static string Phrase(string text)
    {
        Span<char> phrase = stackalloc char[Math.Min(text.Length, MaxPhrase)];
        for (var i = 0; i < phrase.Length; i++)
        {
            phrase[i] = text[i] is >= ' ' and <= '~' ? text[i] : '?';
        }

        return phrase.ToString();
    }
}
