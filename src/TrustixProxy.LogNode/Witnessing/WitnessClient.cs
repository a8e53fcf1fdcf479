using System.Net;
using System.Net.Http.Headers;
using TrustixProxy.IO.Streams;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.LogNode.Witnessing;

/// <summary>Asks one witness to cosign. Bounds the size and time of every answer, and follows no redirect.</summary>
/// <remarks>Source: C2SP tlog-witness v1.0.0.</remarks>
/// <param name="witness">The witness; its policy names a URL.</param>
/// <param name="http">Sends requests; the caller disposes it.</param>
internal sealed class WitnessClient(PolicyWitness witness, HttpClient http, TimeProvider time)
{
    /// <summary>Maximum size of an answer, in bytes.</summary>
    public const int MaxAnswer = 64 << 10;

    /// <summary>Maximum time until an answer is whole.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly Uri _url = new($"{witness.Url!.TrimEnd('/')}/add-checkpoint");

    /// <summary>The witness.</summary>
    public PolicyWitness Witness => witness;

    /// <summary>Asks for a cosignature. Failures of the network and of the witness are answers.</summary>
    /// <param name="request">The checkpoint, and its proof.</param>
    /// <param name="log">The key that signed the checkpoint.</param>
    /// <param name="cancellation">Ends the request.</param>
    public async Task<WitnessAnswer> AskAsync(CheckpointRequest request, VerifierKey log, CancellationToken cancellation)
    {
        using var limit = new CancellationTokenSource(Patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
        try
        {
            using var message = new HttpRequestMessage(HttpMethod.Post, _url)
            {
                Content = new ByteArrayContent(request.ToBytes()) { Headers = { ContentType = new MediaTypeHeaderValue("text/plain") } },
            };
            using var response = await http.SendAsync(message, HttpCompletionOption.ResponseHeadersRead, either.Token);
            await using var stream = await response.Content.ReadAsStreamAsync(either.Token);
            var length = response.Content.Headers.ContentLength;
            var body = length > MaxAnswer ? null : await BoundedStream.ReadWholeAsync(stream, MaxAnswer, length, either.Token);
            return body is { } bytes ? Read(response, bytes.Span, request.Checkpoint, log)
                : new WitnessAnswer.Failed($"an answer of more than {MaxAnswer} bytes");
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return new WitnessAnswer.Failed($"no answer within {Patience.TotalSeconds:N0} s");
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            return new WitnessAnswer.Failed(exception.GetBaseException().Message);
        }
    }

    private WitnessAnswer Read(HttpResponseMessage response, ReadOnlySpan<byte> body, SignedNote checkpoint, VerifierKey log)
    {
        if (response.StatusCode is HttpStatusCode.OK)
        {
            return ReadCosignatures(body, checkpoint);
        }

        var isConflict = response.StatusCode is HttpStatusCode.Conflict;
        return isConflict && response.Content.Headers.ContentType?.MediaType is CheckpointRequest.SizeMediaType
                && CheckpointRequest.TryReadSize(body, out var size) ? new WitnessAnswer.KnowsSize(size)
            : SignedNote.TryParse(body, out var note, out _) && note.Check(log) is SignatureCheck.Valid
                && Checkpoint.TryRead(note, out var shown) && shown.Origin == log.Name ? new WitnessAnswer.Shows(note, shown)
            : response.StatusCode is HttpStatusCode.UnprocessableEntity ? new WitnessAnswer.Refutes()
            : new WitnessAnswer.Failed($"HTTP {(int)response.StatusCode}{(isConflict ? " without a size" : "")}");
    }

    /// <summary>Keeps the witness's newest cosignature: a note holds few lines. Those of other algorithms are not verified, and not
    /// kept.</summary>
    private WitnessAnswer ReadCosignatures(ReadOnlySpan<byte> body, SignedNote checkpoint)
    {
        if (!NoteSignature.TryParseLines(body, out var lines))
        {
            return new WitnessAnswer.Failed("an answer that is not signature lines");
        }

        var answered = checkpoint.With([.. lines.Where(line => line.IsOf(witness.Key))]);
        return Cosignature.Check(answered, witness.Key, out var newest) switch
        {
            SignatureCheck.Missing => new WitnessAnswer.Failed("an answer without a cosignature by the key of the policy"),
            SignatureCheck.Invalid => new WitnessAnswer.Failed("a cosignature that is not by the key of the policy"),
            _ when newest > time.GetUtcNow() + WitnessPolicy.MaxAhead =>
                new WitnessAnswer.Failed($"a cosignature of {newest:u}, which is in the future: compare the clocks"),
            _ => new WitnessAnswer.Cosigned(Cosignature.Newest(answered, witness.Key)!),
        };
    }
}
