using System.Collections.Concurrent;
using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using TrustixProxy.TransparencyLog;
using TrustixProxy.TransparencyLog.Notes;

namespace TrustixProxy.Testing;

/// <summary>Witnesses as C2SP's tlog-witness describes them, each at <c>http://witnesses.example/NAME</c>, or on loopback once
/// <see cref="ListenAsync"/> was called.</summary>
public sealed class FakeWitnesses(VerifierKey log, VerifierKey mapHeads, params TestWitness[] witnesses) : HttpMessageHandler
{
    private readonly ConcurrentDictionary<(string Witness, string Origin), Checkpoint> _known = new();
    private string _url = "http://witnesses.example";
    private WebApplication? _app;

    /// <summary>Answers in place of a witness, by its name; null lets the witness answer.</summary>
    public Func<string, CheckpointRequest, HttpResponseMessage?> Instead { get; set; } = (_, _) => null;

    /// <summary>Delays the answer of a witness, by its name.</summary>
    public Func<string, Task> Before { get; set; } = _ => Task.CompletedTask;

    /// <summary>Every checkpoint that was cosigned, in its order.</summary>
    public ConcurrentQueue<(string Witness, Checkpoint Checkpoint)> Cosigned { get; } = [];

    /// <summary>Number of requests.</summary>
    public int Requests { get; private set; }

    /// <summary>Number of answers that named the size that the witness knows.</summary>
    public int Corrections { get; private set; }

    /// <summary>The lines of a policy with addresses that demands this many of them.</summary>
    public string PolicyText(int quorum) =>
        string.Concat(witnesses.Select(witness => $"{witness.Line.TrimEnd()} {_url}/{witness.Name}\n"))
        + $"group all-of-them {quorum} {string.Join(' ', witnesses.Select(witness => witness.Name))}\nquorum all-of-them\n";

    /// <summary>A policy with addresses that demands this many of them.</summary>
    public WitnessPolicy Policy(int quorum) =>
        WitnessPolicy.TryParse(Encoding.UTF8.GetBytes(PolicyText(quorum)), mustDemand: true, out var policy, out var fault) ? policy
            : throw new InvalidOperationException(fault.ToString());

    /// <summary>Has the witnesses forget what they know, as new ones; all, or the one with this name.</summary>
    public void Forget(string? witness = null)
    {
        foreach (var known in _known.Keys.Where(known => witness is null || known.Witness == witness))
        {
            _known.TryRemove(known, out _);
        }
    }

    /// <summary>Serves them on loopback from now on.</summary>
    public async Task ListenAsync()
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        _app = builder.Build();
        _app.Run(async http =>
        {
            using var body = new MemoryStream();
            await http.Request.Body.CopyToAsync(body);
            using var answer = await AnswerAsync(http.Request.Path.Value!, body.ToArray());
            http.Response.StatusCode = (int)answer.StatusCode;
            http.Response.ContentType = answer.Content.Headers.ContentType?.ToString();
            await answer.Content.CopyToAsync(http.Response.Body);
        });
        await _app.StartAsync();
        _url = _app.Urls.Single();
    }

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var body = await request.Content!.ReadAsByteArrayAsync(cancellationToken);
        return await AnswerAsync(request.RequestUri!.AbsolutePath, body).WaitAsync(cancellationToken);
    }

    protected override void Dispose(bool disposing)
    {
        _app?.DisposeAsync().AsTask().GetAwaiter().GetResult();
        base.Dispose(disposing);
    }

    private async Task<HttpResponseMessage> AnswerAsync(string path, byte[] body)
    {
        var witness = witnesses.Single(witness => path == $"/{witness.Name}/add-checkpoint");
        await Before(witness.Name);
        lock (witnesses)
        {
            Requests++;
            return !CheckpointRequest.TryParse(body, out var asked) ? new HttpResponseMessage(HttpStatusCode.BadRequest)
                : Instead(witness.Name, asked) ?? Answer(witness, asked);
        }
    }

    private HttpResponseMessage Answer(TestWitness witness, CheckpointRequest asked)
    {
        var note = asked.Checkpoint;
        if (!Checkpoint.TryRead(note, out var offered)
            || new[] { log, mapHeads }.FirstOrDefault(key => key.Name == offered.Origin) is not { } key)
        {
            return new HttpResponseMessage(HttpStatusCode.NotFound);
        }

        if (note.Check(key) is not SignatureCheck.Valid)
        {
            return new HttpResponseMessage(HttpStatusCode.Forbidden);
        }

        var known = _known.GetValueOrDefault((witness.Name, offered.Origin)) ?? new Checkpoint(offered.Origin, 0, MerkleHash.EmptyLog);
        if (asked.OldSize > offered.Size)
        {
            return new HttpResponseMessage(HttpStatusCode.BadRequest);
        }

        if (asked.OldSize != known.Size)
        {
            Corrections++;
            return KnowsSize(known.Size);
        }

        if (!ConsistencyProof.TryVerify(known.Size, offered.Size, known.Root, offered.Root, [.. asked.Proof], out _))
        {
            return new HttpResponseMessage(HttpStatusCode.UnprocessableContent);
        }

        _known[(witness.Name, offered.Origin)] = offered;
        Cosigned.Enqueue((witness.Name, offered));
        return new HttpResponseMessage(HttpStatusCode.OK)
        {
            Content = new StringContent($"{witness.Cosign(note, DateTimeOffset.UtcNow)}\n"),
        };
    }

    /// <summary>The answer of a witness that knows another size than the request began at.</summary>
    public static HttpResponseMessage KnowsSize(long size) => new(HttpStatusCode.Conflict)
    {
        Content = new StringContent($"{size}\n") { Headers = { ContentType = new(CheckpointRequest.SizeMediaType) } },
    };
}
