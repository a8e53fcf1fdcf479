using System.Buffers.Binary;

namespace TrustixProxy.Native;

/// <summary>Decodes LZ4 frames (the LZ4 frame and block formats), without native code.</summary>
/// <remarks>Decodes while a block arrives, with a window of 64 KiB; liblz4 would buffer blocks of up to 4 MiB, more input than may come
/// without output. Skips checksums: the NAR's hash is checked.</remarks>
public sealed class Lz4Decoder : Decoder
{
    private const uint FrameMagic = 0x184D2204;
    private const int LeastMatch = 4, Extended = 15;

    private readonly Lz4Window _window = new();
    private readonly byte[] _field = new byte[8];
    private State _state;
    private int _filled, _flags, _blockSize, _blockLeft, _blockRoom, _literals, _match, _offset;

    /// <summary>Creates a decoder.</summary>
    public Lz4Decoder() => SetHandle(1); // there is no native state

    private enum State
    {
        Magic, Descriptor, Rest, BlockSize, Raw, Token, LiteralLength, Literals, Offset, MatchLength, Match, BlockChecksum,
        ContentChecksum, End,
    }

    /// <summary>Number of bytes of the field that the state reads.</summary>
    private int FieldSize => _state switch
    {
        State.Magic or State.BlockSize or State.BlockChecksum or State.ContentChecksum => 4,
        State.Descriptor or State.Offset => 2,
        State.Rest => (_flags & 0x08) is 0 ? 1 : 9,
        _ => 1,
    };

    internal override int StartSize => 4;

    internal override bool BeginsStream(ReadOnlySpan<byte> next) => next is [0x04, 0x22, 0x4d, 0x18, ..];

    private protected override DecodeStatus DecodeCore(
        ReadOnlySpan<byte> source, Span<byte> destination, out int consumed, out int written)
    {
        (consumed, written) = (0, 0);
        while (_state is not State.End)
        {
            var input = source[consumed..];
            var output = destination[written..];
            var isWhole = _state switch
            {
                State.Raw or State.Literals => TryCopyLiterals(input, output, ref consumed, ref written),
                State.Match => TryCopyMatch(output, ref written),
                _ => TryFill(input, ref consumed),
            };
            if (!isWhole)
            {
                return DecodeStatus.More;
            }

            if (!TryGoOn())
            {
                return DecodeStatus.Malformed;
            }
        }

        return DecodeStatus.End;
    }

    private protected override void RestartCore()
    {
        (_state, _filled) = (State.Magic, 0);
        _window.Clear();
    }

    /// <inheritdoc/>
    protected override bool ReleaseHandle() => true;

    private bool TryFill(ReadOnlySpan<byte> input, ref int consumed)
    {
        // The rest of a descriptor, up to nine bytes, is not needed: it overwrites itself.
        var count = Math.Min(FieldSize - _filled, input.Length);
        for (var i = 0; i < count; i++)
        {
            _field[(_filled + i) % _field.Length] = input[i];
        }

        (_filled, consumed) = (_filled + count, consumed + count);
        return _filled == FieldSize;
    }

    private bool TryCopyLiterals(ReadOnlySpan<byte> input, Span<byte> output, ref int consumed, ref int written)
    {
        var count = Math.Min(_literals, Math.Min(input.Length, output.Length));
        input[..count].CopyTo(output);
        _window.Keep(input[..count]);
        (consumed, written, _literals) = (consumed + count, written + count, _literals - count);
        return _literals is 0;
    }

    private bool TryCopyMatch(Span<byte> output, ref int written)
    {
        var count = Math.Min(_match, output.Length);
        _window.Repeat(_offset, output[..count]);
        (written, _match) = (written + count, _match - count);
        return _match is 0;
    }

    /// <summary>Acts on a whole field or a whole copy; returns false when the input is malformed.</summary>
    private bool TryGoOn()
    {
        _filled = 0;
        var number = BinaryPrimitives.ReadUInt32LittleEndian(_field);
        switch (_state)
        {
            case State.Magic:
                _state = State.Descriptor;
                return number is FrameMagic;
            case State.Descriptor:
                return TryReadDescriptor();
            case State.BlockSize:
                return TryBeginBlock(number);
            case State.Token or State.LiteralLength or State.Offset or State.MatchLength:
                return TryReadSequence();
            default:
                _state = _state switch
                {
                    State.Rest or State.BlockChecksum => State.BlockSize,
                    State.Literals when _blockLeft > 0 => State.Offset,
                    State.Match when _blockLeft > 0 => State.Token,
                    State.Literals or State.Match or State.Raw => (_flags & 0x10) is not 0 ? State.BlockChecksum : State.BlockSize,
                    _ => State.End, // the checksum of the content
                };
                return true;
        }
    }

    private bool TryReadDescriptor()
    {
        (_flags, _state) = (_field[0], State.Rest);
        var size = (_field[1] >> 4) & 7;
        _blockSize = 1 << (8 + (2 * size));
        return _flags >> 6 is 1 && (_flags & 1) is 0 && size >= 4; // version 1, no dictionary, at least 64 KiB
    }

    private bool TryBeginBlock(uint header)
    {
        if (header is 0)
        {
            _state = (_flags & 0x04) is not 0 ? State.ContentChecksum : State.End;
            return true;
        }

        var size = header & int.MaxValue;
        if (size > _blockSize || size is 0)
        {
            return false;
        }

        var isRaw = header > int.MaxValue;
        (_blockLeft, _blockRoom, _state) = (isRaw ? 0 : (int)size, _blockSize, isRaw ? State.Raw : State.Token);
        _literals = isRaw ? (int)size : 0;
        return true;
    }

    /// <summary>Reads a field of a sequence: its token, lengths and offset.</summary>
    private bool TryReadSequence()
    {
        _blockLeft -= FieldSize;
        var value = _field[0];
        switch (_state)
        {
            case State.Token:
                (_literals, _match) = (value >> 4, value & Extended);
                _state = _literals is Extended ? State.LiteralLength : State.Literals;
                break;
            case State.LiteralLength:
                _literals += value;
                _state = value is byte.MaxValue ? State.LiteralLength : State.Literals;
                break;
            case State.Offset:
                _offset = BinaryPrimitives.ReadUInt16LittleEndian(_field);
                _state = _match is Extended ? State.MatchLength : State.Match;
                _match += LeastMatch;
                break;
            default:
                _match += value;
                _state = value is byte.MaxValue ? State.MatchLength : State.Match;
                break;
        }

        return _state switch
        {
            State.Literals => TryReserve(_literals, _literals),
            State.Match => _offset > 0 && _offset <= _window.Filled && TryReserve(0, _match),
            _ => _blockLeft >= 0,
        };
    }

    /// <summary>Takes bytes of the block's input and output.</summary>
    private bool TryReserve(int input, int output)
    {
        (_blockLeft, _blockRoom) = (_blockLeft - input, _blockRoom - output);
        return _blockLeft >= 0 && _blockRoom >= 0;
    }
}
