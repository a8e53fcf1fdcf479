using Microsoft.AspNetCore.Http;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Connections;
using TrustixProxy.Substituter.Decisions;

namespace TrustixProxy.Substituter.Substitution;

/// <summary>Headers of answers to clients, and the answer that is a refusal.</summary>
internal static class AnswerHeaders
{
    /// <summary>What was decided, in a word.</summary>
    public const string Decision = "X-Trustix-Decision";

    /// <summary>References that are refused.</summary>
    public const string Missing = "X-Trustix-Missing";

    /// <summary>The decision on what nobody vouches for.</summary>
    public const string Unverified = "unverified";

    /// <summary>Type of texts.</summary>
    public const string TextType = "text/plain; charset=utf-8";

    /// <summary>Refuses with the reason of a decision.</summary>
    /// <param name="context">The request.</param>
    /// <param name="decision">The refusal.</param>
    /// <param name="onUndecided">What is sent when an answer that did not come could have changed it.</param>
    public static Task RefuseAsync(this HttpContext context, Decision decision, OnUndecided onUndecided)
    {
        var isUnavailable = decision.WasCutShort && onUndecided is OnUndecided.Unavailable;
        return context.WriteBodyAsync(
            isUnavailable ? StatusCodes.Status503ServiceUnavailable : StatusCodes.Status404NotFound, TextType, decision.Body);
    }

    /// <summary>Sets the headers of what is answered beside narinfos and NARs.</summary>
    /// <param name="response">The answer.</param>
    /// <param name="decision">The decision in a word.</param>
    public static void Mark(this HttpResponse response, string decision)
    {
        response.Headers[Decision] = decision;
        response.Headers.XContentTypeOptions = "nosniff";
    }
}
