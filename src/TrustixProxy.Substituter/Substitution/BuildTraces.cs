using Microsoft.AspNetCore.Http;
using TrustixProxy.Consensus;
using TrustixProxy.IO.Connections;
using TrustixProxy.Nars.Upstreams;
using TrustixProxy.Nix;
using TrustixProxy.Substituter.Decisions;
using TrustixProxy.Substituter.Fairness;
using TrustixProxy.Substituter.Traces;

namespace TrustixProxy.Substituter.Substitution;

/// <summary>Answers where an output was built to, if signed caches agree on it and that path may itself be served.</summary>
/// <param name="traces">Decides on traces.</param>
/// <param name="decisions">Decides on paths, at each request.</param>
/// <param name="options">How refusals are answered.</param>
internal sealed class BuildTraces(TraceDecider traces, ClosureGate decisions, AnswerOptions options)
{
    /// <summary>Answers with the signed trace of a key, or why there is none.</summary>
    public async Task AnswerAsync(HttpContext context, TraceKey key)
    {
        await Task.Yield(); // do not block the thread that read the request
        Requester.Follow(context);
        var decision = await traces.DecideAsync(key, context.RequestAborted);
        if (decision is not { Record: { } record, Signed: { } signed })
        {
            await RefuseAsync(context, decision.Outcome, decision.Sentence, decision.WasCutShort);
            return;
        }

        var path = await decisions.DecideAsync(record.OutPath.Digest, context.RequestAborted);
        if (path.Record.Claim?.Path != record.OutPath)
        {
            var outcome = path.Record.Claim is null ? path.Record.Outcome : Outcome.Conflict;
            await RefuseAsync(
                context, outcome, $"{decision.Sentence}; but that path is not served: {path.Record.Sentence}", path.WasCutShort);
            return;
        }

        context.Response.Mark(Outcome.Agreed.Word());
        await context.WriteBodyAsync(StatusCodes.Status200OK, "application/json", await signed.Value);
    }

    private Task RefuseAsync(HttpContext context, Outcome outcome, string sentence, bool wasCutShort)
    {
        context.Response.Mark(outcome.Word());
        var isUnavailable = wasCutShort && options.OnUndecided is OnUndecided.Unavailable;
        return context.WriteTextAsync(
            isUnavailable ? StatusCodes.Status503ServiceUnavailable : StatusCodes.Status404NotFound, sentence + "\n");
    }
}
